const SECOND_MS = 1000;
/** A download that has begun stands still when it does not grow for so long: three layers on a slow link take turns. */
const STALL_MIN_MS = 2.5 * SECOND_MS;
/** Or for so many times as long as it usually takes to grow, where that is more. */
const STALL_STEPS = 6;
/** How much the latest step counts for what is usual. */
const LATEST_SHARE = 0.3;

/** How one download grows. Times are in ms of any clock. */
export interface Progress {
  /** So many bytes are there now. */
  note(writtenBytes: number, nowMs: number): void;
  /** It comes from another source from now on. */
  restart(nowMs: number): void;
  /** True when it has begun and does not grow. */
  isStuck(nowMs: number): boolean;
}

/** Makes the progress of a download that has not begun. */
export function createProgress(): Progress {
  let lastBytes = 0;
  let grownMs: number | undefined;
  let usualMs: number | undefined;
  return {
    note(writtenBytes, nowMs) {
      if (writtenBytes <= lastBytes) return;
      lastBytes = writtenBytes;
      if (grownMs !== undefined) {
        const stepMs = nowMs - grownMs;
        usualMs = usualMs === undefined ? stepMs : usualMs + LATEST_SHARE * (stepMs - usualMs);
      }
      grownMs = nowMs;
    },
    restart(nowMs) {
      if (grownMs !== undefined) grownMs = nowMs;
    },
    isStuck: (nowMs) =>
      grownMs !== undefined && nowMs - grownMs > Math.max(STALL_MIN_MS, STALL_STEPS * (usualMs ?? 0)),
  };
}
