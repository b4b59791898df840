import type { FileHandle } from 'node:fs/promises';
import type { FileGrowth } from './transport.ts';
import type { LentSource } from './buffered-source.ts';
import type { MemoryRelay } from './memory-relay.ts';
import type { Chunk, ChunkPool } from './chunk-pool.ts';

/** Part of a file's range in a chunk of the pool. */
export interface Filled {
  readonly chunk: Chunk;
  /** Offset in the range of its first byte. */
  readonly offset: number;
  readonly length: number;
}

/** What became of filling a chunk. */
export type Fill =
  | Filled
  | { readonly reason: 'ended-early' }
  | { readonly reason: 'read-failed'; readonly cause: unknown };

/** A fill that was begun. */
export interface PendingFill {
  readonly fill: Promise<Fill>;
  /** Ends its waiting. A read that is under way still gives its chunk. */
  callOff(): void;
}

/** Fills chunks from a range of an open file. */
export interface FileFiller {
  /**
   * Fills a chunk of about `wantedBytes` with what is written from an offset of the range on. It waits first for bytes that
   * can be read, then for a chunk. Only one fill waits at a time.
   */
  fillFrom(offset: number, wantedBytes: number): PendingFill;
  /** Lends the file from an offset of the range on; undefined if its next bytes may come from a relay. No fill may be pending. */
  lend(offset: number): LentSource | undefined;
  /** Ends the subscription now, and the descriptor when no read is under way. Fills that wait must be called off before. */
  close(): void;
}

/** Options of createFileFiller. */
export interface FileFillerOptions {
  /** Where the range starts in the file. */
  readonly start: number;
  /** Length of the range. */
  readonly sizeBytes: number;
  readonly growth: FileGrowth;
  /** Has bytes that may not be written yet. */
  readonly relay?: Pick<MemoryRelay, 'copy' | 'endOf' | 'subscribe'> | undefined;
  /** Makes of an offset what it means that the file ends there, before the bytes that growth says are written. */
  readonly onShort: (offset: number) => Fill;
  readonly pool: ChunkPool;
}

/** Takes the file over: its descriptor is closed with the filler. */
export function createFileFiller(
  file: FileHandle,
  { start, sizeBytes, growth, relay, onShort, pool }: FileFillerOptions,
): FileFiller {
  /** The fill that waits for more to be written looks again. */
  let onGrowth: (() => void) | undefined;
  /** Told of growth while the file is lent. */
  let onGrown: (() => void) | undefined;
  let reads = 0;
  let closed = false;

  const lookAgain = () => {
    onGrowth?.();
    onGrown?.();
  };
  const subscriptions = [growth.subscribe(lookAgain), relay?.subscribe(lookAgain)];
  const readableFrom = (offset: number) => {
    const endByte = Math.max(growth.writtenBytes, relay?.endOf(start + offset) ?? 0);
    return Math.min(sizeBytes, endByte - start) - offset;
  };
  /** The descriptor's number must not be free for others while a read on it is under way. */
  const closeFile = () => {
    if (closed && reads === 0) file.close().catch(() => {});
  };
  const readInto = async (chunk: Chunk, offset: number): Promise<Fill> => {
    reads += 1;
    try {
      const wanted = chunk.bytes.subarray(0, Math.min(chunk.bytes.length, readableFrom(offset)));
      const copied = relay?.copy(start + offset, wanted) ?? 0;
      if (copied > 0) return { chunk, offset, length: copied };
      const length = Math.min(wanted.length, growth.writtenBytes - start - offset);
      const { bytesRead } = await file.read(chunk.bytes, 0, length, start + offset);
      if (bytesRead > 0) return { chunk, offset, length: bytesRead };
      chunk.release();
      return onShort(offset);
    } catch (cause) {
      chunk.release();
      return { reason: 'read-failed', cause };
    } finally {
      reads -= 1;
      closeFile();
    }
  };

  return {
    fillFrom(offset, wantedBytes) {
      const { promise: fill, resolve } = Promise.withResolvers<Fill>();
      let endTake = () => {};
      const begin = () => {
        const readableBytes = readableFrom(offset);
        if (readableBytes <= 0 && !growth.isOver) return;
        onGrowth = undefined;
        if (readableBytes <= 0) resolve({ reason: 'ended-early' });
        else {
          endTake = pool.take(Math.min(wantedBytes, readableBytes), (chunk) => {
            if (closed) chunk.release();
            else if (readableFrom(offset) > 0) resolve(readInto(chunk, offset));
            else {
              // The relay does not have it any more, and it is not written yet.
              chunk.release();
              onGrowth = begin;
              begin();
            }
          });
        }
      };
      onGrowth = begin;
      begin();
      const callOff = () => {
        onGrowth = undefined;
        endTake();
        // Harmless if the read is under way.
        resolve({ reason: 'ended-early' });
      };
      return { fill, callOff };
    },
    lend(offset) {
      if (closed || relay !== undefined) return undefined;
      reads += 1;
      return {
        kind: 'file',
        descriptor: file.fd,
        offset: start + offset,
        sizeBytes: sizeBytes - offset,
        writtenBytes: growth.writtenBytes,
        isOver: growth.isOver,
        follow(follower) {
          onGrown = () => follower(growth.writtenBytes, growth.isOver);
        },
        giveBack() {
          onGrown = undefined;
          reads -= 1;
          closeFile();
        },
      };
    },
    close() {
      if (closed) return;
      closed = true;
      for (const unsubscribe of subscriptions) unsubscribe?.();
      closeFile();
    },
  };
}
