/** Options of a backoff. */
export interface BackoffOptions {
  /** First delay, in ms. */
  readonly initialMs: number;
  /** Largest delay, in ms. */
  readonly maxMs: number;
  /** 0..1; injected in tests. Default Math.random. */
  readonly random?: () => number;
}

/** Delays that double from one failure to the next, each shortened by up to half at random, so that nodes do not act in step. */
export function createBackoff({ initialMs, maxMs, random = Math.random }: BackoffOptions) {
  let nextMs = initialMs;
  return {
    /** The delay to wait after one more failure, in ms. */
    nextMs(): number {
      const delayMs = nextMs;
      nextMs = Math.min(nextMs * 2, maxMs);
      return delayMs * (1 - random() / 2);
    },
    /** Starts over after a success. */
    reset(): void {
      nextMs = initialMs;
    },
  };
}
