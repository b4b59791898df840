const POLL_MS = 2;
const DEADLINE_MS = 5000;

/** Resolves once the condition holds; rejects with its name after 5 s. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`Waited ${DEADLINE_MS} ms for: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, POLL_MS);
    });
  }
}
