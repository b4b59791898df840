/** Tasks that live and end together. */
export interface TaskGroup extends AsyncDisposable {
  /** Aborts when a task fails, when the parent signal aborts, or when the group is disposed. */
  readonly signal: AbortSignal;
  /** Starts a task, at once up to its first await. It must end soon after its signal aborts. A task that ends without an error stops nobody. */
  run(task: (signal: AbortSignal) => Promise<void>): void;
  /**
   * Waits until every task has ended, those started meanwhile included. Rejects with the error of the task that
   * failed, with an AggregateError (cause: the first) if several did. Rejections that only pass on the group's own
   * abort are no failures.
   */
  wait(): Promise<void>;
}

/** Runs siblings: the first failure aborts the rest. Dispose it to abort all and wait for their end. */
export function createTaskGroup(parent?: AbortSignal): TaskGroup {
  const controller = new AbortController();
  const { signal } = controller;
  const running = new Set<Promise<void>>();
  const errors: unknown[] = [];

  const onParent = () => controller.abort(parent?.reason);
  if (parent?.aborted === true) onParent();
  else parent?.addEventListener('abort', onParent, { once: true });

  const onError = (error: unknown) => {
    if (signal.aborted && isAbort(error, signal)) return;
    errors.push(error);
    controller.abort(error);
  };

  const ended = async () => {
    while (running.size > 0) await Promise.all(running);
    parent?.removeEventListener('abort', onParent);
  };

  return {
    signal,
    run(task) {
      const start = async () => task(signal);
      const promise: Promise<void> = start()
        .catch(onError)
        .finally(() => running.delete(promise));
      running.add(promise);
    },
    async wait() {
      await ended();
      const [first] = errors;
      if (errors.length === 0) return;
      // oxlint-disable-next-line typescript/only-throw-error -- it is passed on as the task threw it
      if (errors.length === 1) throw first;
      const messages = errors.map((error) => (error instanceof Error ? error.message : String(error)));
      throw new AggregateError(errors, `${errors.length} tasks failed: ${messages.join('; ')}`, {
        cause: first,
      });
    },
    async [Symbol.asyncDispose]() {
      controller.abort(new DOMException('The task group was disposed', 'AbortError'));
      await ended();
    },
  };
}

function isAbort(error: unknown, signal: AbortSignal): boolean {
  return error === signal.reason || (error instanceof Error && error.name === 'AbortError');
}
