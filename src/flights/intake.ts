const SECOND_MS = 1000;
/** Bytes are counted in periods of so many ms. */
const PERIOD_MS = 0.25 * SECOND_MS;
/** How far back the best time may lie. */
const MEMORY_PERIODS = (20 * SECOND_MS) / PERIOD_MS;
/**
 * Bytes that say what this node can do, when they came in a row: containerd writes 1 MiB at a time, and the layers of an
 * image may grow together and then all wait, so that less says nothing.
 */
const STEADY_BYTES = 8 * 1024 * 1024;
/** They count as having taken so long at least: what comes at once was there before. */
const LEAST_STEADY_PERIODS = (1 * SECOND_MS) / PERIOD_MS;
/** What comes now is looked at over so many times as long. */
const WINDOW_TIMES = 2;
/** Slow is less than this share of what came in the best time. */
const SLOW_SHARE = 1 / 6;
/** It is not slow any more once this share of that comes again. */
const RECOVERED_SHARE = 1 / 3;
/** Or after so long: the towers have forgotten it by then. */
const SLOW_PERIODS = (60 * SECOND_MS) / PERIOD_MS;
/** While this process did not get to run, what came was not seen to come: more periods in a row are left out. */
const MOST_UNSEEN_PERIODS = (1 * SECOND_MS) / PERIOD_MS;

/** What this node gets from upstream in all, over time. Times are in ms of any clock. */
export interface Intake {
  /** So many bytes, or none, have come since the last call. */
  note(bytes: number, nowMs: number): void;
  /** True when skip() would change something: time has passed since the last call of it or of note(). */
  isBehind(nowMs: number): boolean;
  /** Nothing was to come until now: that nothing has come meanwhile says nothing. */
  skip(nowMs: number): void;
  /** No download is under way: what comes next is not compared with what was. */
  reset(): void;
  /** True when much less comes than before, until as much comes again. */
  isSlow(nowMs: number): boolean;
}

/** The best time: how many bytes came in how many periods. */
interface Steady {
  readonly bytes: number;
  readonly periods: number;
}

/** Makes the intake of a node that downloads nothing. */
export function createIntake(): Intake {
  /** Bytes by period, the latest last, which is not over yet. */
  let periods: number[] = [];
  let lastPeriod = 0;
  /** What came before it was slow, while it is. */
  let before: (Steady & { readonly untilPeriod: number }) | undefined;

  const bytesOf = (start: number, end: number) =>
    periods.slice(Math.max(0, start), end).reduce((sum, bytes) => sum + bytes, 0);
  /** The best time until that period, if enough came in any. */
  const bestUntil = (end: number): Steady | undefined => {
    let best: Steady | undefined;
    for (let start = 0, at = 0, bytes = 0; at < end; at++) {
      bytes += periods[at] ?? 0;
      // The shortest time until now in which enough came.
      while (at - start >= LEAST_STEADY_PERIODS && bytes - (periods[start] ?? 0) >= STEADY_BYTES) {
        bytes -= periods[start++] ?? 0;
      }
      const count = Math.max(LEAST_STEADY_PERIODS, at - start + 1);
      if (bytes < STEADY_BYTES) continue;
      if (best === undefined || bytes / count > best.bytes / best.periods) best = { bytes, periods: count };
    }
    return best;
  };
  const reset = () => {
    periods = [];
    before = undefined;
  };
  const judge = () => {
    const end = periods.length - 1;
    if (before !== undefined) {
      const hasRecovered = bytesOf(end - before.periods, end) >= RECOVERED_SHARE * before.bytes;
      if (hasRecovered || lastPeriod >= before.untilPeriod) reset();
      return;
    }
    // The least time that may be looked at; what is best until then is best until earlier, too, or more is looked at.
    const best = bestUntil(end - WINDOW_TIMES * LEAST_STEADY_PERIODS);
    if (best === undefined) return;
    const window = WINDOW_TIMES * best.periods;
    if (bytesOf(end - window, end) >= SLOW_SHARE * WINDOW_TIMES * best.bytes) return;
    before = { ...best, untilPeriod: lastPeriod + SLOW_PERIODS };
  };
  const advance = (nowMs: number) => {
    const period = Math.floor(nowMs / PERIOD_MS);
    if (periods.length === 0) {
      periods.push(0);
      lastPeriod = period;
    }
    if (period === lastPeriod) return;
    const added = Math.min(period - lastPeriod, MOST_UNSEEN_PERIODS);
    lastPeriod = period;
    for (let count = 0; count < added; count++) periods.push(0);
    if (periods.length > MEMORY_PERIODS) periods = periods.slice(-MEMORY_PERIODS);
    judge();
  };

  return {
    note(bytes, nowMs) {
      advance(nowMs);
      // Judging may have forgotten all.
      periods.push((periods.pop() ?? 0) + bytes);
    },
    isBehind: (nowMs) => Math.floor(nowMs / PERIOD_MS) > lastPeriod,
    skip(nowMs) {
      lastPeriod = Math.max(lastPeriod, Math.floor(nowMs / PERIOD_MS));
    },
    reset,
    isSlow: (nowMs) => before !== undefined && Math.floor(nowMs / PERIOD_MS) < before.untilPeriod,
  };
}
