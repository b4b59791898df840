const SECOND_MS = 1000;
/** Bytes are counted in periods of so many ms. */
const PERIOD_MS = 0.5 * SECOND_MS;
/** So many periods at least are compared with so many before: containerd writes 1 MiB at a time, so a short look says nothing. */
const WINDOW_PERIODS = 6;
/** Periods for so many of the steps in which a download grows: three layers on a slow link grow together, then none does. */
const WINDOW_STEPS = 4;
/** How far back the best window may lie. */
const MEMORY_PERIODS = 40;
/** Bytes that a window of the past must have had, to say what this node can do. */
const MIN_WINDOW_BYTES = 4 * 1024 * 1024;
/** Slow is less than this share of the best window. */
const SLOW_SHARE = 1 / 6;

/** What this node gets from upstream in all, over time. Times are in ms of any clock. */
export interface Intake {
  /** So many bytes have come since the last call, at least one download being under way. */
  note(bytes: number, nowMs: number): void;
  /** No download was under way until now: that nothing has come meanwhile says nothing. */
  skip(nowMs: number): void;
  /** No download is under way: what comes next is not compared with what was. */
  reset(): void;
  /** True when much less comes than before; a download usually takes `stepMs` to grow. */
  isSlow(nowMs: number, stepMs: number): boolean;
}

/** Makes the intake of a node that downloads nothing. */
export function createIntake(): Intake {
  /** Bytes by period, the latest last; there are no gaps. */
  const periods: number[] = [];
  let lastPeriod = 0;

  const advance = (nowMs: number) => {
    const period = Math.floor(nowMs / PERIOD_MS);
    if (periods.length === 0) lastPeriod = period - 1;
    for (; lastPeriod < period; lastPeriod++) {
      periods.push(0);
      if (periods.length > MEMORY_PERIODS) periods.shift();
    }
  };
  const windowTo = (end: number, windowPeriods: number) =>
    periods.slice(end - windowPeriods, end).reduce((sum, bytes) => sum + bytes, 0);

  return {
    note(bytes, nowMs) {
      advance(nowMs);
      periods[periods.length - 1] = (periods.at(-1) ?? 0) + bytes;
    },
    skip(nowMs) {
      lastPeriod = Math.max(lastPeriod, Math.floor(nowMs / PERIOD_MS));
    },
    reset() {
      periods.length = 0;
    },
    isSlow(nowMs, stepMs) {
      if (periods.length === 0) return false;
      advance(nowMs);
      // The period that is not over yet says nothing.
      const end = periods.length - 1;
      const window = Math.max(WINDOW_PERIODS, Math.ceil((WINDOW_STEPS * stepMs) / PERIOD_MS));
      if (end < 2 * window) return false;
      let best = 0;
      for (let at = window; at <= end - window; at++) best = Math.max(best, windowTo(at, window));
      return best >= MIN_WINDOW_BYTES && windowTo(end, window) < SLOW_SHARE * best;
    },
  };
}
