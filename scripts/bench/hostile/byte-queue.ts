/** Bytes that came and are not taken yet. */
export interface ByteQueue {
  push(bytes: Uint8Array): void;
  /** The first n bytes, as a copy or a view of what was pushed; undefined while there are fewer. */
  take(n: number): Uint8Array | undefined;
  /** The first n bytes, as soon as they are there. Rejects when the queue ends before. One call at a time. */
  read(n: number): Promise<Uint8Array>;
  /** Everything, which may be nothing. */
  takeAll(): Uint8Array;
  /** No more bytes come. */
  end(): void;
}

/** Makes an empty queue. */
export function createByteQueue(): ByteQueue {
  let held: Uint8Array = new Uint8Array();
  let hasEnded = false;
  let waiting:
    | { readonly n: number; resolve(bytes: Uint8Array): void; reject(cause: Error): void }
    | undefined;
  const take = (n: number): Uint8Array | undefined => {
    if (held.length < n) return undefined;
    const bytes = held.subarray(0, n);
    held = held.subarray(n);
    return bytes;
  };
  return {
    take,
    push(bytes) {
      // What is pushed may be a buffer that its owner uses again.
      held = Buffer.concat([held, bytes]);
      const taken = waiting === undefined ? undefined : take(waiting.n);
      if (taken === undefined) return;
      const reader = waiting;
      waiting = undefined;
      reader?.resolve(taken);
    },
    async read(n) {
      const taken = take(n);
      if (taken !== undefined) return taken;
      if (hasEnded) throw new Error('The other side has ended the connection');
      return new Promise((resolve, reject) => {
        waiting = { n, resolve, reject };
      });
    },
    takeAll: () => take(held.length) ?? new Uint8Array(),
    end() {
      hasEnded = true;
      waiting?.reject(new Error('The other side has ended the connection'));
      waiting = undefined;
    },
  };
}
