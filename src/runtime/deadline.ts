import type { Clock } from './clock.ts';

/** A signal that aborts when the time is over or the parent aborts, whichever is first. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
}

/** Thrown as the abort reason of a deadline that has passed. */
export class DeadlineExceededError extends Error {
  override readonly name = 'DeadlineExceededError';
  readonly code = 'DEADLINE_EXCEEDED';
}

/** Why the timer ends early; nothing sees it. Without it each would make an error of its own. */
const DISPOSED = new Error('The deadline was disposed');

/** Starts a deadline of ms milliseconds; dispose it when the work is done, so that its timer goes. */
export function createDeadline(clock: Clock, ms: number, parent?: AbortSignal): Deadline {
  const timer = new AbortController();
  const outcome = new AbortController();
  const onParent = () => outcome.abort(parent?.reason);
  if (parent?.aborted === true) onParent();
  else parent?.addEventListener('abort', onParent, { once: true });
  clock.sleep(ms, timer.signal).then(
    () => outcome.abort(new DeadlineExceededError(`Deadline of ${ms} ms passed`)),
    () => {},
  );
  return {
    signal: outcome.signal,
    [Symbol.dispose]() {
      timer.abort(DISPOSED);
      parent?.removeEventListener('abort', onParent);
    },
  };
}
