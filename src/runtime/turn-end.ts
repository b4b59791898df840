/** What waits for the end of this turn. */
const due: (() => void)[] = [];

/**
 * Calls the work when what is ready in this turn of the event loop was handled, all such work in order, also what it asks for
 * itself. For what is cheaper once than for each of the events of a turn. The work must not throw.
 */
export function atTurnEnd(work: () => void): void {
  if (due.push(work) === 1) setImmediate(run);
}

function run(): void {
  try {
    for (const work of due) work();
  } finally {
    due.length = 0;
  }
}
