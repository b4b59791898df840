import { systemTimers, type Timers } from './timers.ts';

/** Time as the deciding code sees it, so that tests and the simulation can hold it. */
export interface Clock extends Timers {
  /** Milliseconds since an arbitrary start, never going back. */
  nowMs(): number;
  /** Resolves after the time; rejects with the signal's reason if that aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The machine's clock. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  sleep: (ms, signal) => unlessAborted(signal, (resolve) => systemTimers.after(ms, resolve)),
  after: (ms, work) => systemTimers.after(ms, work),
};

/** A promise that `start` resolves, or that rejects with the signal's reason if that comes first; `start` returns what undoes it then. */
export function unlessAborted(
  signal: AbortSignal | undefined,
  start: (resolve: () => void) => () => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = () => {
      cancel();
      reject(signal?.reason as Error);
    };
    const cancel = start(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
