import { HEDGE_BURST, HEDGE_SHARE } from './budgets.ts';

/** How many requests may be asked of a second peer beside the first. */
export interface HedgeBudget {
  /** A peer is asked first. */
  asked(): void;
  /** True if a second peer may be asked now. */
  readonly has: boolean;
  /** A second peer is asked. */
  spend(): void;
}

/** Starts with one: of n requests at most one, and HEDGE_SHARE of n, are asked of a second peer. */
export function createHedgeBudget(): HedgeBudget {
  let tokens = 1;
  return {
    asked() {
      tokens = Math.min(HEDGE_BURST, tokens + HEDGE_SHARE);
    },
    get has() {
      return tokens >= 1;
    },
    spend: () => void tokens--,
  };
}
