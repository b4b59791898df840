import type { Clock } from '../runtime/clock.ts';
import { createDeadline } from '../runtime/deadline.ts';
import type { Router } from './router.ts';

/** What asks for the content will have its own lookup by then. */
const TIMEOUT_MS = 250;
/** Lookups at a time: two images of 64 layers. What is more is looked up when it is asked for. */
const MAX_RUNNING = 128;

/** What createPrefetch needs. */
export interface PrefetchDeps {
  readonly router: Pick<Router, 'lookup'>;
  readonly clock: Clock;
}

/**
 * Makes a function that starts lookups whose outcome the router keeps for a few seconds, so that the one that is meant
 * finds it there, or joins it. It returns at once and never throws. The signal ends what is under way.
 */
export function createPrefetch(
  { router, clock }: PrefetchDeps,
  signal: AbortSignal,
): (keys: readonly string[]) => void {
  let running = 0;
  const lookUp = async (key: string) => {
    running++;
    try {
      using deadline = createDeadline(clock, TIMEOUT_MS, signal);
      // One provider is enough: whoever asks for more gets the rest then.
      for await (const _peer of router.lookup(key, { signal: deadline.signal, limit: 1 }));
    } catch {
      // The lookup that is meant will fail by itself.
    } finally {
      running--;
    }
  };
  return (keys) => {
    for (const key of keys) {
      if (signal.aborted || running >= MAX_RUNNING) return;
      void lookUp(key);
    }
  };
}
