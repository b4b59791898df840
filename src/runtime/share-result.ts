import type { Clock } from './clock.ts';

/** A result is told again for so many times as long as it took to make: making takes a tenth of the time at most, however often it is asked for. */
const KEPT_FACTOR = 10;
/** The longest time for which it is told again, in ms. */
const MAX_KEPT_MS = 1000;

/** Options of shareResult. */
export interface ShareResultOptions {
  /** False: it is shared while it is made only. Default true. */
  readonly isKept?: boolean;
}

/**
 * Shares what is costly to make: those who ask while it is made, or shortly after, get the same, which must not be changed. A failure is
 * told to those who have asked, and is not kept.
 */
export function shareResult<T>(
  clock: Pick<Clock, 'nowMs'>,
  make: () => Promise<T>,
  { isKept = true }: ShareResultOptions = {},
): () => Promise<T> {
  let shared: Promise<T> | undefined;
  let untilMs = Infinity;
  const begin = async () => {
    const startedMs = clock.nowMs();
    untilMs = Infinity;
    try {
      const result = await make();
      const endedMs = clock.nowMs();
      untilMs = isKept ? endedMs + Math.min(MAX_KEPT_MS, KEPT_FACTOR * (endedMs - startedMs)) : -Infinity;
      return result;
    } catch (error) {
      untilMs = -Infinity;
      throw error;
    }
  };
  return async () => {
    if (shared === undefined || clock.nowMs() >= untilMs) shared = begin();
    return shared;
  };
}
