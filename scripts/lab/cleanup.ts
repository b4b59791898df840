/**
 * What has to be undone, newest first. Everything in it is synchronous, so that the very same steps
 * run at the end of a test, after a failed start, on Ctrl-C and in an uncaught exception.
 */
export interface Cleanup {
  /** Adds a step. It must not throw for something that is already gone. */
  defer(what: string, undo: () => void): void;
  /** Undoes everything, once. Failures are reported to stderr and do not stop the rest. */
  run(): void;
}

const pending = new Set<Cleanup>();
let hooked = false;

/** Starts a list of things to undo; it is run by the caller, or when this process ends early. */
export function createCleanup(): Cleanup {
  const steps: { readonly what: string; readonly undo: () => void }[] = [];
  const cleanup: Cleanup = {
    defer: (what, undo) => {
      steps.push({ what, undo });
    },
    run: () => {
      pending.delete(cleanup);
      for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
        try {
          step.undo();
        } catch (error) {
          console.error(`lab: could not undo "${step.what}":`, error);
        }
      }
    },
  };
  pending.add(cleanup);
  hookProcessEnd();
  return cleanup;
}

function runAll(): void {
  for (const cleanup of pending) cleanup.run();
}

/** Exit codes follow the shell's convention: 128 + number of the signal. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

function hookProcessEnd(): void {
  if (hooked) return;
  hooked = true;
  process.on('exit', runAll);
  for (const [signal, exitCode] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      runAll();
      process.exit(exitCode);
    });
  }
  process.on('uncaughtException', (error) => {
    console.error(error);
    runAll();
    process.exit(1);
  });
}
