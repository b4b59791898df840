/** Says whether something may happen once more, at a rate, see createTokenBucket. */
export interface TokenBucket {
  /** True if there is a token. */
  has(): boolean;
  /** How long it takes until there is a token, in ms; 0: there is one. */
  waitMs(): number;
  /**
   * Takes so many tokens, default 1; false, and nothing is taken, if there is none. More than there are is a debt, which is paid off
   * before there is a token again.
   */
  take(count?: number): boolean;
}

/** Settings of createTokenBucket. */
export interface TokenBucketOptions {
  /** Most tokens, which a new bucket has: what may happen at once after a while without anything. */
  readonly burst: number;
  /** Tokens that come each second, up to the burst. */
  readonly perSecond: number;
}

const SECOND_MS = 1000;

/** Makes a full bucket. `nowMs` are milliseconds that never go back. */
export function createTokenBucket(
  nowMs: () => number,
  { burst, perSecond }: TokenBucketOptions,
): TokenBucket {
  let tokens = burst;
  let filledMs = nowMs();
  const has = () => {
    const now = nowMs();
    tokens = Math.min(burst, tokens + ((now - filledMs) * perSecond) / SECOND_MS);
    filledMs = now;
    return tokens >= 1;
  };
  return {
    has,
    waitMs: () => (has() ? 0 : ((1 - tokens) / perSecond) * SECOND_MS),
    take(count = 1) {
      if (!has()) return false;
      tokens -= count;
      return true;
    },
  };
}
