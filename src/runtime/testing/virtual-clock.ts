import type { Clock } from '../clock.ts';

/** A clock that stands still until it is advanced. */
export interface VirtualClock extends Clock {
  /** Lets the time pass, waking sleepers in order; each gets to run before the next is woken. */
  advance(ms: number): Promise<void>;
}

/** Creates a clock at 0 ms. */
export function createVirtualClock(): VirtualClock {
  let nowMs = 0;
  const sleepers = new Set<{ readonly untilMs: number; readonly wake: () => void }>();
  return {
    nowMs: () => nowMs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted === true) {
          reject(signal.reason as Error);
          return;
        }
        const onAbort = () => {
          sleepers.delete(sleeper);
          reject(signal?.reason as Error);
        };
        const sleeper = {
          untilMs: nowMs + ms,
          wake: () => {
            sleepers.delete(sleeper);
            signal?.removeEventListener('abort', onAbort);
            resolve();
          },
        };
        sleepers.add(sleeper);
        signal?.addEventListener('abort', onAbort, { once: true });
      }),
    async advance(ms) {
      const untilMs = nowMs + ms;
      for (;;) {
        // A macrotask lets everything that is ready run, timers of the machine included.
        await new Promise((resolve) => setImmediate(resolve));
        const next = [...sleepers].sort((a, b) => a.untilMs - b.untilMs)[0];
        if (next === undefined || next.untilMs > untilMs) break;
        nowMs = next.untilMs;
        next.wake();
      }
      nowMs = untilMs;
    },
  };
}
