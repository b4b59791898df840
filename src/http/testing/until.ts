const POLL_MS = 2;
/** A machine that others use too is slow: this only ends a test that hangs. */
const DEADLINE_MS = 60_000;

/** Resolves once the condition holds; rejects with its name after a minute. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`Waited ${DEADLINE_MS} ms for: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, POLL_MS);
    });
  }
}
