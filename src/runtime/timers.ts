/** Timers as the deciding code sees them, so that the simulation can hold them: cheaper than a sleep with a signal. */
export interface Timers {
  /** Runs the work once after the time, in ms; the result calls that off. */
  after(ms: number, work: () => void): () => void;
}

/** The machine's timers. */
export const systemTimers: Timers = {
  after(ms, work) {
    const timer = setTimeout(work, ms);
    return () => clearTimeout(timer);
  },
};
