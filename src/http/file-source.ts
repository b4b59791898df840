import { open, type FileHandle } from 'node:fs/promises';
import { rangeLength, type ByteRange } from '../oci/byte-range.ts';
import type { Chunk, ChunkPool } from './chunk-pool.ts';
import { MIN_FILE_CHUNK_BYTES } from './limits.ts';
import { registerBufferedSource, type BufferedSource, type SourceRead } from './buffered-source.ts';

/**
 * Opens a range of a regular file. Rejects with the file system's error, with RangeError if the file is shorter
 * than the range. The descriptor stays valid when the file is renamed or deleted. `{start: 0, end: -1}` is the
 * whole of an empty file.
 */
export async function openFileSource(
  path: string,
  range: ByteRange,
  pool: ChunkPool,
): Promise<BufferedSource> {
  const sizeBytes = rangeLength(range);
  if (![range.start, range.end].every(Number.isSafeInteger) || range.start < 0 || sizeBytes < 0) {
    throw new RangeError(`Cannot open bytes ${range.start}-${range.end} of a file: not a range`);
  }
  const file = await open(path, 'r');
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new TypeError(`Cannot serve ${JSON.stringify(path)}: not a regular file`);
    if (range.end >= stat.size) {
      throw new RangeError(
        `Cannot open bytes ${range.start}-${range.end} of ${JSON.stringify(path)}: it has ${stat.size} bytes`,
      );
    }
  } catch (error) {
    await file.close();
    throw error;
  }
  return createFileSource(file, { start: range.start, sizeBytes, pool });
}

/** Part of the file in a chunk of the pool. */
interface Filled {
  readonly chunk: Chunk;
  /** Offset in the source of its first byte. */
  readonly offset: number;
  readonly length: number;
}

/** What became of reading a part. */
type Fill =
  | Filled
  | { readonly reason: 'ended-early' }
  | { readonly reason: 'read-failed'; readonly cause: unknown };

/** After so many bytes a body is long: from then on the next chunk is read while the client takes one. */
const READ_AHEAD_FROM_BYTES = 2 * MIN_FILE_CHUNK_BYTES;

/**
 * Reads chunks that start small and grow with the body. While the client takes a chunk, the disk fills the next. What a
 * slow client has not taken is parked: it is read again if another body needed the memory.
 */
function createFileSource(
  file: FileHandle,
  {
    start,
    sizeBytes,
    pool,
  }: { readonly start: number; readonly sizeBytes: number; readonly pool: ChunkPool },
): BufferedSource {
  /** Bytes given to the reader that it keeps. */
  let offset = 0;
  let chunkBytes = MIN_FILE_CHUNK_BYTES;
  /** What the reader has, or has left a part of. */
  let lent: Filled | undefined;
  let ahead: { readonly fill: Promise<Fill>; readonly callOff: () => void } | undefined;
  let reads = 0;
  let closed = false;

  /** The descriptor's number must not be free for others while a read on it is under way. */
  const closeFile = () => {
    if (closed && reads === 0) file.close().catch(() => {});
  };
  const readInto = async (chunk: Chunk, from: number): Promise<Fill> => {
    reads += 1;
    try {
      const length = Math.min(chunk.bytes.length, sizeBytes - from);
      const { bytesRead } = await file.read(chunk.bytes, 0, length, start + from);
      if (bytesRead > 0) return { chunk, offset: from, length: bytesRead };
      // The file was cut off after it was opened: what was there has been moved, the rest cannot be had.
      chunk.release();
      return { reason: 'ended-early' };
    } catch (cause) {
      chunk.release();
      return { reason: 'read-failed', cause };
    } finally {
      reads -= 1;
      closeFile();
    }
  };
  /** Fills a chunk from an offset on, as soon as there is one. */
  const fillFrom = (from: number) => {
    const { promise: fill, resolve } = Promise.withResolvers<Fill>();
    const cancel = pool.take(Math.min(chunkBytes, sizeBytes - from), (chunk) => {
      if (closed) chunk.release();
      else resolve(readInto(chunk, from));
    });
    chunkBytes *= 2;
    const callOff = () => {
      cancel();
      // Harmless if the read is under way.
      resolve({ reason: 'ended-early' });
    };
    return { fill, callOff };
  };
  const dropAhead = () => {
    const dropped = ahead;
    ahead = undefined;
    dropped?.callOff();
    void dropped?.fill.then((fill) => 'chunk' in fill && fill.chunk.release());
  };

  return registerBufferedSource({
    sizeBytes,
    read(onRead) {
      if (lent !== undefined && lent.offset + lent.length > offset && lent.chunk.unpark()) {
        const { chunk, offset: from, length } = lent;
        const part = chunk.bytes.subarray(offset - from, length);
        offset = from + length;
        onRead({ chunk: part });
        return;
      }
      lent?.chunk.release();
      lent = undefined;
      ahead ??= fillFrom(offset);
      const { fill } = ahead;
      void fill.then((filled) => {
        if (closed) return;
        ahead = undefined;
        let read: SourceRead;
        if ('chunk' in filled) {
          lent = filled;
          offset = filled.offset + filled.length;
          read = { chunk: filled.chunk.bytes.subarray(0, filled.length) };
          if (offset < sizeBytes && offset >= READ_AHEAD_FROM_BYTES) ahead = fillFrom(offset);
        } else read = filled;
        onRead(read);
      });
    },
    unread(bytes) {
      if (lent === undefined) return;
      offset -= bytes;
      lent.chunk.park(() => {
        // What was read ahead does not follow what is read next any more.
        lent = undefined;
        dropAhead();
      });
    },
    close() {
      if (closed) return;
      closed = true;
      lent?.chunk.release();
      dropAhead();
      closeFile();
    },
  });
}
