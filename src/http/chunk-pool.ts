import { type MemoryRoom, PLENTY_OF_ROOM } from '../runtime/memory/memory-room.ts';

/** A buffer of the pool, and what may become of it while its holder waits for a client. */
export interface Chunk {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The holder can do without its content for now: if others need the memory, it is taken away, and onTaken is called. */
  park(onTaken: () => void): void;
  /** The holder uses it again; false if it was taken away. */
  unpark(): boolean;
  /** Gives it back. Harmless twice. */
  release(): void;
}

/** Buffers that all bodies share. What it has given out and what it keeps is never more than its size. */
export interface ChunkPool {
  /**
   * A chunk of at most `wantedBytes`, and at least of the smallest size, as soon as there is one: calls back at once if
   * there is one now. Returns what calls it off.
   */
  take(wantedBytes: number, onChunk: (chunk: Chunk) => void): () => void;
  /** Bytes that are given out. */
  readonly usedBytes: number;
}

/** Options of createChunkPool, in bytes. */
export interface ChunkPoolOptions {
  readonly totalBytes: number;
  /** Power of two. */
  readonly minChunkBytes: number;
  /** Power of two. */
  readonly maxChunkBytes: number;
  /** After so long without use what is kept is freed. */
  readonly keepMs: number;
  /** How much of it may be used just now. Default all of it. */
  readonly room?: MemoryRoom | undefined;
}

/** A chunk that is parked, with what is called when it is taken. */
interface Parked {
  take(): void;
}

/**
 * Creates a pool of buffers whose sizes are powers of two. Buffers are used again, and freed by detaching them: nothing
 * waits for the garbage collector, which is late when bodies are fast. The more bodies there are, the smaller are the
 * chunks that each gets.
 */
export function createChunkPool({
  totalBytes,
  minChunkBytes,
  maxChunkBytes,
  keepMs,
  room = PLENTY_OF_ROOM,
}: ChunkPoolOptions): ChunkPool {
  /** Free buffers by size. */
  const free = new Map<number, Uint8Array<ArrayBuffer>[]>();
  let freeBytes = 0;
  let usedBytes = 0;
  let usedChunks = 0;
  /** The chunk that was parked first comes first. */
  const parked = new Set<Parked>();
  const waiting = new Set<{ wantedBytes: number; onChunk: (chunk: Chunk) => void }>();
  let sweep: Timer | undefined;

  /** One chunk can always be had, so that something moves. */
  const mostBytes = () => Math.max(Math.floor(room.share() * totalBytes), minChunkBytes);
  const discard = (bytes: number) => {
    for (const [size, buffers] of free) {
      while (bytes > 0 && buffers.length > 0) {
        buffers.pop()?.buffer.transfer(0);
        freeBytes -= size;
        bytes -= size;
      }
    }
  };
  /** A buffer of that size from what is free, or undefined if there is no room. */
  const find = (size: number): Uint8Array<ArrayBuffer> | undefined => {
    const most = mostBytes();
    if (usedBytes + size > most) return undefined;
    const kept = free.get(size)?.pop();
    if (kept !== undefined) {
      freeBytes -= size;
      return kept;
    }
    discard(usedBytes + freeBytes + size - most);
    return new Uint8Array(size);
  };
  const sizeFor = (wantedBytes: number) => {
    // An equal share, with room for another body, which holds a chunk that goes out and a chunk that is read; and never
    // more than half of what is left, so that the next body finds something at once.
    const total = mostBytes();
    const share = Math.min(total / (usedChunks + 2), (total - usedBytes) / 2);
    const most = Math.min(
      maxChunkBytes,
      Math.max(minChunkBytes, share),
      Math.max(wantedBytes, minChunkBytes),
    );
    return 2 ** Math.floor(Math.log2(most));
  };
  const findWithin = (wantedBytes: number) => {
    let buffer = find(sizeFor(wantedBytes)) ?? find(minChunkBytes);
    for (const each of parked) {
      if (buffer !== undefined) break;
      parked.delete(each);
      each.take();
      buffer = find(minChunkBytes);
    }
    return buffer;
  };
  const put = (buffer: Uint8Array<ArrayBuffer>) => {
    usedBytes -= buffer.length;
    usedChunks -= 1;
    const buffers = free.get(buffer.length) ?? [];
    buffers.push(buffer);
    free.set(buffer.length, buffers);
    freeBytes += buffer.length;
    discard(usedBytes + freeBytes - mostBytes());
    if (usedChunks === 0) {
      sweep ??= setTimeout(() => {
        sweep = undefined;
        if (usedChunks === 0) discard(freeBytes);
      }, keepMs);
      sweep.unref();
    }
  };
  const serveWaiting = () => {
    for (const each of waiting) {
      const buffer = findWithin(each.wantedBytes);
      if (buffer === undefined) return;
      const chunk = lend(buffer);
      // The holder of a chunk that was taken just now may have called off what it waited for.
      if (waiting.delete(each)) each.onChunk(chunk);
      else chunk.release();
    }
  };
  const lend = (bytes: Uint8Array<ArrayBuffer>): Chunk => {
    usedBytes += bytes.length;
    usedChunks += 1;
    let held = true;
    const giveBack = () => {
      if (!held) return;
      held = false;
      put(bytes);
    };
    let mine: Parked | undefined;
    return {
      bytes,
      park(onTaken) {
        mine = {
          take() {
            giveBack();
            onTaken();
          },
        };
        parked.add(mine);
        if (waiting.size > 0) serveWaiting();
      },
      unpark() {
        if (mine !== undefined) parked.delete(mine);
        mine = undefined;
        return held;
      },
      release() {
        if (mine !== undefined) parked.delete(mine);
        mine = undefined;
        giveBack();
        if (waiting.size > 0) serveWaiting();
      },
    };
  };

  return {
    take(wantedBytes, onChunk) {
      // Those that wait come first.
      const buffer = waiting.size === 0 ? findWithin(wantedBytes) : undefined;
      if (buffer !== undefined) {
        onChunk(lend(buffer));
        return () => {};
      }
      const entry = { wantedBytes, onChunk };
      waiting.add(entry);
      return () => void waiting.delete(entry);
    },
    get usedBytes() {
      return usedBytes;
    },
  };
}
