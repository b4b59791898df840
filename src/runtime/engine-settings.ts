/**
 * Settings of the JavaScript engine and its allocator for a process that is idle most of the time. Both read them when
 * they start, from the environment alone. Values that a user has set are left as they are.
 */
const ENGINE_SETTINGS: Readonly<Record<string, string>> = {
  // Else compiled code that was not used for a few seconds is thrown away, and made again for the next heartbeat.
  BUN_JSC_forceCodeBlockLiveness: '1',
  // In ms. Else a thread of the allocator looks ten times a second for memory to give back.
  MIMALLOC_PURGE_HOLES_MIN_INTERVAL: '5000',
};

/** What startWithEngineSettings needs of the process; injected in tests. */
export interface ProcessImage {
  /** False when it is run from source: the program is then Bun, with arguments of its own. */
  readonly isCompiled: boolean;
  readonly environment: NodeJS.ProcessEnv;
  /** Path of the program. */
  readonly executable: string;
  /** The first one is the name that it was started by. */
  readonly args: readonly string[];
  /** As execve(2): does not return unless it is injected. Throws when the program cannot be started. */
  readonly execve: (path: string, args: readonly string[], environment: NodeJS.ProcessEnv) => void;
}

/**
 * Starts the program anew in its own process if it was started without the settings, which takes some ms. Returns when
 * there is nothing to do, or when it cannot be started: the process goes on as it is, at the cost of some CPU time. What
 * is open then is closed, so nothing may be.
 */
export function startWithEngineSettings(image: ProcessImage = thisProcess()): void {
  const missing = missingSettings(image);
  if (missing.length === 0) return;
  const { environment, executable, args, execve } = image;
  try {
    execve(executable, args, { ...environment, ...Object.fromEntries(missing) });
  } catch {
    // Said by whoever asks hasEngineSettings().
  }
}

/** False when startWithEngineSettings() could not start the program with them. */
export function hasEngineSettings(image: ProcessImage = thisProcess()): boolean {
  return missingSettings(image).length === 0;
}

function missingSettings({
  isCompiled,
  environment,
}: ProcessImage): readonly [name: string, value: string][] {
  return isCompiled
    ? Object.entries(ENGINE_SETTINGS).filter(([name]) => environment[name] === undefined)
    : [];
}

/** Bun puts two words of its own before the arguments. */
function thisProcess(): ProcessImage {
  return {
    isCompiled: Bun.main.startsWith('/$bunfs/'),
    environment: process.env,
    executable: process.execPath,
    args: [process.argv0, ...process.argv.slice(2)],
    execve: (path, args, environment) => process.execve?.(path, args, environment),
  };
}
