/** Timers as the deciding code sees them, so that the simulation can hold them: cheaper than a sleep with a signal. */
export interface Timers {
  /** Runs the work once after the time, in ms; the result calls that off. */
  after(ms: number, work: () => void): () => void;
}

/** The longest time of a timer, in ms, some 25 days: the runtime fires one that is longer at once. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * A time that a timer can have, in ms. A deadline that is over while its timer is made gives a negative time; of that, and
 * of one that is too long, the runtime complains on stderr, in the middle of the log.
 */
function timerMs(ms: number): number {
  return Math.min(LONGEST_MS, Math.max(0, ms));
}

/** The machine's timers. */
export const systemTimers: Timers = {
  after(ms, work) {
    const timer = setTimeout(work, timerMs(ms));
    return () => clearTimeout(timer);
  },
};
