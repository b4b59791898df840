import { open, type FileHandle } from 'node:fs/promises';
import { rangeLength, type ByteRange } from '../oci/byte-range.ts';
import type { ChunkShare } from './chunk-budget.ts';
import { registerPlainSource, type PlainSource, type SourceRead } from './plain-source.ts';

/**
 * Opens a range of a regular file. Rejects with the file system's error, with RangeError if the file is shorter
 * than the range. The descriptor stays valid when the file is renamed or deleted. `{start: 0, end: -1}` is the
 * whole of an empty file.
 */
export async function openFileSource(
  path: string,
  range: ByteRange,
  takeShare: () => ChunkShare,
): Promise<PlainSource> {
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
  return createFileSource(file, range.start, sizeBytes, takeShare());
}

/** Reads one chunk ahead: while the client takes one, the disk fills the other. */
function createFileSource(
  file: FileHandle,
  start: number,
  sizeBytes: number,
  share: ChunkShare,
): PlainSource {
  let free: Uint8Array | undefined;
  let lent: Uint8Array | undefined;
  let offset = 0;
  let reading: Promise<SourceRead> | undefined;
  let closed = false;

  const readNext = async (): Promise<SourceRead> => {
    const chunkBytes = Math.min(share.chunkBytes(), sizeBytes - offset);
    const buffer =
      free !== undefined && free.length >= chunkBytes && free.length <= 2 * chunkBytes ? free : undefined;
    const target = buffer ?? new Uint8Array(chunkBytes);
    free = undefined;
    try {
      const { bytesRead } = await file.read(target, 0, chunkBytes, start + offset);
      // The file was cut off after it was opened: what was there has been moved, the rest cannot be had.
      if (bytesRead === 0) return { reason: 'ended-early' };
      offset += bytesRead;
      free = lent;
      lent = target;
      return { chunk: target.subarray(0, bytesRead) };
    } catch (cause) {
      return { reason: 'read-failed', cause };
    }
  };

  return registerPlainSource({
    sizeBytes,
    read(onRead) {
      reading ??= readNext();
      void reading.then((read) => {
        if (closed) return;
        reading = 'chunk' in read && offset < sizeBytes ? readNext() : undefined;
        onRead(read);
      });
    },
    close() {
      if (closed) return;
      closed = true;
      share.release();
      // The descriptor's number must not be free for others while a read on it is under way.
      void (reading ?? Promise.resolve()).then(() => file.close()).catch(() => {});
    },
  });
}
