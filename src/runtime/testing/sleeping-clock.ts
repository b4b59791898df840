import type { Clock } from '../clock.ts';

/** A clock whose timers are sleeps: for tests that decide what a sleep is. */
export function createSleepingClock({ nowMs, sleep }: Pick<Clock, 'nowMs' | 'sleep'>): Clock {
  return {
    nowMs,
    sleep,
    after(ms, work) {
      const calledOff = new AbortController();
      sleep(ms, calledOff.signal).then(work, () => {});
      return () => calledOff.abort();
    },
  };
}
