import type { Clock } from '../../runtime/clock.ts';

/**
 * So long after a loss a node asks for peers: the peer may be back elsewhere by then, and others hear of that first.
 */
const SEARCH_AFTER_LOSS_MS = 4000;

/** What createLossSearch needs. */
export interface LossSearchDeps {
  /** Asks other nodes for peers. */
  readonly search: () => void;
  readonly clock: Pick<Clock, 'sleep'>;
  /** A number from 0 up to, not including, 1. */
  readonly random: () => number;
  /** Ends the wait. */
  readonly signal: AbortSignal;
}

/**
 * Returns what is called after each loss. It searches once for all peers lost together, when fewer nodes are busy with
 * that.
 */
export function createLossSearch({ search, clock, random, signal }: LossSearchDeps): () => void {
  let isPending = false;
  return () => {
    if (isPending) return;
    isPending = true;
    clock
      .sleep(SEARCH_AFTER_LOSS_MS * (1 - random() / 2), signal)
      .then(() => {
        isPending = false;
        search();
      })
      .catch(() => {});
  };
}
