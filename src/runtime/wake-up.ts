import { type Clock, unlessAborted } from './clock.ts';

/**
 * Wakes all that wait for something to happen. A call while nothing waits is lost, so what waits looks first: between the
 * look and the wait there must be no `await`.
 */
export interface WakeUp {
  /** Ends all waits. */
  wake(): void;
  /** Resolves at the next call; rejects with the signal's reason if that aborts first, or has before. */
  next(signal: AbortSignal): Promise<void>;
  /** Resolves at the next call, when the time in ms is over, or when the signal aborts. */
  sleep(clock: Pick<Clock, 'sleep'>, ms: number, signal: AbortSignal): Promise<void>;
}

/** Why a sleep ends early; nothing sees it. Without it each would make an error of its own. */
const WOKEN = new Error('Woken');

/** Makes a wake-up that nothing waits for. */
export function createWakeUp(): WakeUp {
  const waiting = new Set<() => void>();
  return {
    wake() {
      for (const end of waiting) {
        waiting.delete(end);
        end();
      }
    },
    next: async (signal) =>
      unlessAborted(signal, (resolve) => {
        waiting.add(resolve);
        return () => waiting.delete(resolve);
      }),
    async sleep(clock, ms, signal) {
      const woken = new AbortController();
      const end = () => woken.abort(WOKEN);
      waiting.add(end);
      await clock.sleep(ms, AbortSignal.any([signal, woken.signal])).catch(() => {});
      waiting.delete(end);
    },
  };
}
