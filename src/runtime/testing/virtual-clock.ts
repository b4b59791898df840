import { type Clock, unlessAborted } from '../clock.ts';

/** A clock that stands still until it is advanced. */
export interface VirtualClock extends Clock {
  /** Lets the time pass, waking sleepers in order; each gets to run before the next is woken. */
  advance(ms: number): Promise<void>;
}

/** Creates a clock at 0 ms. */
export function createVirtualClock(): VirtualClock {
  let nowMs = 0;
  const sleepers = new Set<{ readonly untilMs: number; readonly wake: () => void }>();
  const after = (ms: number, work: () => void) => {
    const sleeper = {
      untilMs: nowMs + ms,
      wake: () => {
        sleepers.delete(sleeper);
        work();
      },
    };
    sleepers.add(sleeper);
    return () => void sleepers.delete(sleeper);
  };
  return {
    nowMs: () => nowMs,
    sleep: (ms, signal) => unlessAborted(signal, (resolve) => after(ms, resolve)),
    after,
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
