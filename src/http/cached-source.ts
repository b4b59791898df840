import { rangeLength, type ByteRange } from '../oci/byte-range.ts';
import { openCachedFile } from '../runtime/cached-file.ts';
import { registerBufferedSource, type BufferedSource } from './buffered-source.ts';
import type { Chunk, ChunkPool } from './chunk-pool.ts';
import { MIN_FILE_CHUNK_BYTES } from './limits.ts';

/**
 * A short range of a file that the kernel has in memory, read at once. Undefined if that cannot be done: the file is to be
 * opened the slow way then, by `open`, and so it is for what a client does not take at once.
 */
export function openCachedSource(
  path: string,
  range: ByteRange,
  { pool, open }: { readonly pool: ChunkPool; readonly open: (range: ByteRange) => Promise<BufferedSource> },
): BufferedSource | undefined {
  const sizeBytes = rangeLength(range);
  if (!(range.start >= 0 && sizeBytes > 0 && sizeBytes <= MIN_FILE_CHUNK_BYTES)) return undefined;
  using file = openCachedFile(path);
  if (file === undefined || range.end >= file.sizeBytes) return undefined;
  let chunk: Chunk | undefined;
  const callOff = pool.take(sizeBytes, (taken) => {
    chunk = taken;
  });
  // Later ones would come when the client may be gone.
  if (chunk === undefined) callOff();
  const bytes = chunk?.bytes.subarray(0, sizeBytes);
  if (chunk !== undefined && bytes !== undefined && file.readInto(bytes, range.start)) {
    return createCachedSource(bytes, chunk, (offset) =>
      open({ start: range.start + offset, end: range.end }),
    );
  }
  chunk?.release();
  return undefined;
}

function createCachedSource(
  bytes: Uint8Array,
  chunk: Chunk,
  openFrom: (offset: number) => Promise<BufferedSource>,
): BufferedSource {
  let offset = 0;
  let isRead = false;
  let rest: BufferedSource | undefined;
  let isClosed = false;

  return registerBufferedSource({
    sizeBytes: bytes.length,
    isInMemory: true,
    read(onRead) {
      if (!isRead) {
        isRead = true;
        offset = bytes.length;
        onRead({ chunk: bytes });
        return;
      }
      if (rest !== undefined) {
        rest.read(onRead);
        return;
      }
      openFrom(offset).then(
        (opened) => {
          rest = opened;
          if (isClosed) opened.close();
          else opened.read(onRead);
        },
        (cause: unknown) => {
          if (!isClosed) onRead({ reason: 'read-failed', cause });
        },
      );
    },
    unread(unusedBytes) {
      if (rest !== undefined) {
        rest.unread(unusedBytes);
        return;
      }
      offset -= unusedBytes;
      // A client that does not read holds no memory.
      chunk.release();
    },
    close() {
      isClosed = true;
      chunk.release();
      rest?.close();
    },
  });
}
