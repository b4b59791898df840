/** One body's share of the memory for what peers send. */
export interface ReceiveShare {
  /** How large its receive buffer is to be, in bytes of payload. */
  readonly bytes: number;
  /** Makes it as large as there is room for now. It never gets smaller: TCP cannot take back room that it has offered. */
  grow(): void;
  release(): void;
}

/** Memory that all bodies share. */
export interface ReceiveBudget {
  /** A share of the smallest size, which is there for each body. */
  take(): ReceiveShare;
}

/** Options of createReceiveBudget, in bytes of payload. */
export interface ReceiveBudgetOptions {
  /** Shares that have grown have no more than this together with the others. */
  readonly totalBytes: number;
  readonly minBytes: number;
  readonly maxBytes: number;
}

/**
 * Divides the memory by the number of bodies: a few get large buffers, many get small ones. Sizes are powers of two, so that the
 * last bit of room does not make an odd one.
 */
export function createReceiveBudget({ totalBytes, minBytes, maxBytes }: ReceiveBudgetOptions): ReceiveBudget {
  let [bodies, takenBytes] = [0, 0];
  return {
    take() {
      bodies += 1;
      let bytes = minBytes;
      takenBytes += bytes;
      let isReleased = false;
      return {
        get bytes() {
          return bytes;
        },
        grow() {
          if (isReleased) return;
          const freeBytes = totalBytes - takenBytes + bytes;
          const room = Math.max(minBytes, Math.min(freeBytes, totalBytes / bodies));
          const wanted = Math.min(maxBytes, 2 ** Math.floor(Math.log2(room)));
          if (wanted <= bytes) return;
          takenBytes += wanted - bytes;
          bytes = wanted;
        },
        release() {
          if (isReleased) return;
          isReleased = true;
          bodies -= 1;
          takenBytes -= bytes;
        },
      };
    },
  };
}
