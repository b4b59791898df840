import type { Clock } from './clock.ts';

/** A signal that aborts when the time is over or the parent aborts, whichever is first. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
  /** Ends it before its time: the signal aborts with the reason. */
  abort(reason: Error): void;
}

/** Thrown as the abort reason of a deadline that has passed. */
export class DeadlineExceededError extends Error {
  override readonly name = 'DeadlineExceededError';
  readonly code = 'DEADLINE_EXCEEDED';
}

/** Starts a deadline of ms milliseconds; dispose it when the work is done, so that its timer goes. */
export function createDeadline(clock: Pick<Clock, 'after'>, ms: number, parent?: AbortSignal): Deadline {
  const outcome = new AbortController();
  const onParent = () => outcome.abort(parent?.reason);
  if (parent?.aborted === true) onParent();
  else parent?.addEventListener('abort', onParent, { once: true });
  const cancel = clock.after(ms, () =>
    outcome.abort(new DeadlineExceededError(`Deadline of ${ms} ms passed`)),
  );
  const dispose = () => {
    cancel();
    parent?.removeEventListener('abort', onParent);
  };
  return {
    signal: outcome.signal,
    abort(reason) {
      dispose();
      outcome.abort(reason);
    },
    [Symbol.dispose]: dispose,
  };
}
