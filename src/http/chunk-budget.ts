/** One move's share of the memory for reading. */
export interface ChunkShare {
  /** How large the next read may be, in bytes; it shrinks while others are active. */
  chunkBytes(): number;
  release(): void;
}

/** Memory that all active moves share. */
export interface ChunkBudget {
  take(): ChunkShare;
}

/** Options of createChunkBudget, in bytes. */
export interface ChunkBudgetOptions {
  readonly totalBytes: number;
  readonly minChunkBytes: number;
  readonly maxChunkBytes: number;
}

/** How many chunks one move holds: one on its way out, one being read. */
const CHUNKS_PER_MOVE = 2;

/** Divides the memory by the number of active moves: one reader gets large chunks, many get small ones. Sizes are powers of two, so that buffers are seldom replaced. */
export function createChunkBudget({
  totalBytes,
  minChunkBytes,
  maxChunkBytes,
}: ChunkBudgetOptions): ChunkBudget {
  let active = 0;
  return {
    take() {
      active += 1;
      let released = false;
      return {
        chunkBytes() {
          const fair = totalBytes / (CHUNKS_PER_MOVE * Math.max(active, 1));
          return Math.min(maxChunkBytes, Math.max(minChunkBytes, 2 ** Math.floor(Math.log2(fair))));
        },
        release() {
          if (!released) active -= 1;
          released = true;
        },
      };
    },
  };
}
