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

/** Waits until the condition holds; throws when it does not within 10 s, which is long on any machine. For tests. */
export async function until(condition: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`Not within ${withinMs} ms: ${condition.toString()}`);
    await Bun.sleep(5);
  }
}
