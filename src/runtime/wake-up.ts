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
  sleep(clock: Pick<Clock, 'after'>, ms: number, signal: AbortSignal): Promise<void>;
}

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
      if (signal.aborted) return;
      // Cheaper than a signal of its own, with which the clock's sleep would be ended.
      await new Promise<void>((resolve) => {
        const end = () => {
          cancel();
          waiting.delete(end);
          signal.removeEventListener('abort', end);
          resolve();
        };
        const cancel = clock.after(ms, end);
        waiting.add(end);
        signal.addEventListener('abort', end, { once: true });
      });
    },
  };
}
