import type { BlobRequest } from './blob-sources-contract.ts';

const KIB = 1024;
/** The size of a piece, in bytes. All of it waits in the kernel for its turn. */
export const PIECE_BYTES = 512 * KIB;
/** What a piece is counted as, in bytes: the kernel may take twice its size. */
const PIECE_MEMORY_BYTES = 2 * PIECE_BYTES;
/** With less a body does not begin to go on in pieces. */
const RESERVED_PIECES = 2;

/** The memory of the pieces of one body. Dispose it to give back what is reserved. */
export interface PieceMemory extends Disposable {
  /** Makes sure that the first pieces have memory; false if there is too little just now. */
  reserve(): Promise<boolean>;
  /** Memory for a piece, of what is reserved first; undefined if there is none just now. */
  take(): Promise<Disposable | undefined>;
}

/** Holds nothing yet. */
export function createPieceMemory(takeMemory: BlobRequest['takeMemory']): PieceMemory {
  const reserved: Disposable[] = [];
  let isOver = false;
  const release = () => {
    for (const memory of reserved.splice(0)) memory[Symbol.dispose]();
  };
  return {
    async reserve() {
      while (reserved.length < RESERVED_PIECES) {
        const memory = await takeMemory?.(PIECE_MEMORY_BYTES);
        if (memory === undefined) {
          release();
          return false;
        }
        reserved.push(memory);
      }
      if (isOver) release();
      return !isOver;
    },
    take: async () => reserved.pop() ?? (await takeMemory?.(PIECE_MEMORY_BYTES)),
    [Symbol.dispose]() {
      isOver = true;
      release();
    },
  };
}
