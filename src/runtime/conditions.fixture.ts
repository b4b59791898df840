/** The error that a promise rejects with; throws when it resolves. For tests. */
export async function failureOf(promise: Promise<unknown>): Promise<Error> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
  throw new Error(`Resolved to ${JSON.stringify(value)}`);
}

/**
 * Waits until the condition holds, and looks every few ms. Throws an error with its text when it does not in time, by default
 * within a minute: a machine that is busy with others is slow, and this only ends a test that hangs. For tests.
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  withinMs = 60_000,
  everyMs = 5,
): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`Not within ${withinMs} ms: ${condition.toString()}`);
    await Bun.sleep(everyMs);
  }
}
