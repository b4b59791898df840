import { open, type FileHandle } from 'node:fs/promises';
import { rangeLength, type ByteRange } from '../oci/byte-range.ts';
import type { FileGrowth } from './transport.ts';
import { registerBufferedSource, type BufferedSource, type SourceRead } from './buffered-source.ts';
import { openCachedSource } from './cached-source.ts';
import type { ChunkPool } from './chunk-pool.ts';
import { createFileFiller, type Filled, type FileFiller, type PendingFill } from './file-filler.ts';
import { MIN_FILE_CHUNK_BYTES } from './limits.ts';
import type { MemoryRelay } from './memory-relay.ts';

/** The growth of a file that is whole. */
const WHOLE: FileGrowth = {
  writtenBytes: Number.POSITIVE_INFINITY,
  isOver: true,
  subscribe: () => () => {},
};

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
  const open = (part: ByteRange) => openUncached(path, part, pool);
  return openCachedSource(path, range, { pool, open }) ?? open(range);
}

function openUncached(path: string, range: ByteRange, pool: ChunkPool): Promise<BufferedSource> {
  return openRange(path, range, (file, fileBytes) => {
    if (range.end >= fileBytes) throw outsideOf(path, range, `it has ${fileBytes} bytes`);
    const filler = createFileFiller(file, {
      start: range.start,
      sizeBytes: rangeLength(range),
      growth: WHOLE,
      // The file was cut off after it was opened: what was there has been moved, the rest cannot be had.
      onShort: () => ({ reason: 'ended-early' }),
      pool,
    });
    return createFileSource(filler, rangeLength(range));
  });
}

/** What openGrowingFileSource opens. */
export interface GrowingFile {
  readonly path: string;
  readonly range: ByteRange;
  readonly growth: FileGrowth;
  readonly relay?: Pick<MemoryRelay, 'copy' | 'endOf' | 'has' | 'subscribe'> | undefined;
}

/** Opens a range of a file that is still being written, as Transport.openGrowingFile() says. */
export function openGrowingFileSource(
  { path, range, growth, relay }: GrowingFile,
  pool: ChunkPool,
): Promise<BufferedSource> {
  return openRange(path, range, (file) => {
    if (range.start > growth.writtenBytes && relay?.has(range.start) !== true) {
      throw outsideOf(path, range, `only ${growth.writtenBytes} bytes are written`);
    }
    const filler = createFileFiller(file, {
      start: range.start,
      sizeBytes: rangeLength(range),
      growth,
      relay,
      onShort: (offset) => ({
        reason: 'read-failed',
        cause: new Error(
          `${JSON.stringify(path)} ends at byte ${range.start + offset}, before the ${growth.writtenBytes} bytes that are said to be written`,
        ),
      }),
      pool,
    });
    return createFileSource(filler, rangeLength(range));
  });
}

/** Opens a regular file; closes it again if the source cannot be created. */
async function openRange(
  path: string,
  range: ByteRange,
  createSource: (file: FileHandle, fileBytes: number) => BufferedSource,
): Promise<BufferedSource> {
  if (![range.start, range.end].every(Number.isSafeInteger) || range.start < 0 || rangeLength(range) < 0) {
    throw new RangeError(`Cannot open bytes ${range.start}-${range.end} of a file: not a range`);
  }
  const file = await open(path, 'r');
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new TypeError(`Cannot serve ${JSON.stringify(path)}: not a regular file`);
    return createSource(file, stat.size);
  } catch (error) {
    await file.close();
    throw error;
  }
}

function outsideOf(path: string, { start, end }: ByteRange, why: string): RangeError {
  return new RangeError(`Cannot open bytes ${start}-${end} of ${JSON.stringify(path)}: ${why}`);
}

/** After so many bytes a body is long: from then on the next chunk is read while the client takes one. */
const READ_AHEAD_FROM_BYTES = 2 * MIN_FILE_CHUNK_BYTES;

/**
 * Reads chunks that start small and grow with the body. While the client takes a chunk, the disk fills the next. What a
 * slow client has not taken is parked: it is read again if another body needed the memory.
 */
function createFileSource(filler: FileFiller, sizeBytes: number): BufferedSource {
  /** Bytes given to the reader that it keeps. */
  let offset = 0;
  let chunkBytes = MIN_FILE_CHUNK_BYTES;
  /** What the reader has, or has left a part of. */
  let lent: Filled | undefined;
  let ahead: PendingFill | undefined;
  let closed = false;

  const fillNext = () => {
    const wantedBytes = chunkBytes;
    chunkBytes *= 2;
    return filler.fillFrom(offset, wantedBytes);
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
      ahead ??= fillNext();
      const { fill } = ahead;
      void fill.then((filled) => {
        if (closed) return;
        ahead = undefined;
        let read: SourceRead;
        if ('chunk' in filled) {
          lent = filled;
          offset = filled.offset + filled.length;
          read = { chunk: filled.chunk.bytes.subarray(0, filled.length) };
          if (offset < sizeBytes && offset >= READ_AHEAD_FROM_BYTES) ahead = fillNext();
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
    lend() {
      const isInMemory = ahead !== undefined || (lent !== undefined && lent.offset + lent.length > offset);
      if (closed || isInMemory) return undefined;
      const file = filler.lend(offset);
      if (file === undefined) return undefined;
      lent?.chunk.release();
      lent = undefined;
      return {
        ...file,
        giveBack(movedBytes, isInStep) {
          offset += movedBytes;
          file.giveBack(movedBytes, isInStep);
        },
      };
    },
    close() {
      if (closed) return;
      closed = true;
      lent?.chunk.release();
      dropAhead();
      filler.close();
    },
  });
}
