const SECOND_MS = 1000;
/** A download that has begun stands still when it does not grow for so long: three layers on a slow link take turns. */
const STALL_MIN_MS = 2.5 * SECOND_MS;
/** Or for so many times as long as it usually takes to grow, where that is more. */
const STALL_STEPS = 6;
/** But no longer than that: nodes that follow it wait for about as long. */
const STALL_MAX_MS = 20 * SECOND_MS;
/** It is late, which says little alone, after so many times as long as it usually takes to grow. */
const LATE_STEPS = 3;
/** How much the latest step counts for what is usual. */
const LATEST_SHARE = 0.3;
/** What is there sooner than that after it was asked for was there before. */
const FIRST_STEP_MIN_MS = 20;
/** A download may have waited for its turn before its first step, which says nothing then, beyond so long. */
const FIRST_STEP_MAX_MS = 5 * SECOND_MS;

/** How one download grows. Times are in ms of any clock. */
export interface Progress {
  /** So many bytes are there now. */
  note(writtenBytes: number, nowMs: number): void;
  /** It comes from another source from now on. */
  restart(nowMs: number): void;
  /** True when it has begun and does not grow. */
  isStuck(nowMs: number): boolean;
  /** True when it has begun, and should have grown again. */
  isLate(nowMs: number): boolean;
  /** How long it usually takes to grow, in ms; 0 while that is not known. */
  readonly usualMs: number;
}

/** Makes the progress of a download that was asked for at that time. */
export function createProgress(askedMs: number): Progress {
  let lastBytes = 0;
  let grownMs = askedMs;
  let usualMs: number | undefined;
  const hasBegun = () => lastBytes > 0;
  const atMost = (ms: number) => Math.min(STALL_MAX_MS, Math.max(STALL_MIN_MS, ms));
  return {
    get usualMs() {
      return usualMs ?? 0;
    },
    note(writtenBytes, nowMs) {
      if (writtenBytes <= lastBytes) return;
      lastBytes = writtenBytes;
      const stepMs = nowMs - grownMs;
      // On a slow link the first step takes as long as those after it; a download that was taken up had bytes before.
      if (usualMs === undefined) {
        if (stepMs >= FIRST_STEP_MIN_MS) usualMs = Math.min(stepMs, FIRST_STEP_MAX_MS);
      } else usualMs += LATEST_SHARE * (stepMs - usualMs);
      grownMs = nowMs;
    },
    restart(nowMs) {
      grownMs = nowMs;
    },
    isStuck: (nowMs) => hasBegun() && nowMs - grownMs > atMost(STALL_STEPS * (usualMs ?? 0)),
    isLate: (nowMs) => hasBegun() && nowMs - grownMs > atMost(LATE_STEPS * (usualMs ?? 0)),
  };
}
