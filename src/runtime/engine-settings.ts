/**
 * Settings of the JavaScript engine and its allocator for a process that is idle most of the time. Both read them when
 * they start, from the environment alone. The image and the systemd unit have them; values that a user has set are left.
 */
export const ENGINE_SETTINGS: Readonly<Record<string, string>> = {
  // Else compiled code that was not used for a few seconds is thrown away, and made again for the next probe. What
  // such code refers to is kept with it, some MiB in all.
  BUN_JSC_forceCodeBlockLiveness: '1',
  // What the third compiler makes costs more memory than it saves time: bytes are moved by native code, and the ciphers of
  // connections are that or WebAssembly.
  BUN_JSC_useFTLJIT: '0',
  // What the second one makes halves the CPU time of a small request. With the engine's own number (1000) it is made of far more
  // than that, while a cluster starts, when all have most to do: another 10 MiB.
  BUN_JSC_thresholdForOptimizeAfterWarmUp: '4000',
  // A function is compiled when it is called often. With the engine's own number that is 4 MiB of code, most of it for what
  // happens once, when the daemon starts and meets its cluster.
  BUN_JSC_thresholdForJITAfterWarmUp: '4000',
  // What the engine compiles, and what it keeps about that, grows for as long as there is something new to do: by 25 MiB under all
  // kinds of load at once. It compiles less and less the fuller this is, in bytes; what is called most is compiled first.
  BUN_JSC_jitMemoryReservationSize: '8388608',
  // The engine lets garbage grow with the memory that it finds. In a control group without a limit of its own that is the
  // machine's, and a daemon that answers 1,000 requests a second grows by 50 MiB before it collects. In bytes. With half of
  // this every second collection is a full one while layers pass through, which doubles what a GB costs.
  BUN_JSC_forceRAMSize: '134217728',
  // A collection of what is new leaves what lives just then, such as the state of a hundred requests, and no other such collection
  // looks at it again. After one that has left more than what the next may take less a tenth of the heap, a full one follows: in a
  // pull of 2,000 layers every third is. With half of this none is, and 8 MB of that garbage are there in the end, and as much
  // memory between it that nothing else fits into. The engine's own third makes all of them full.
  BUN_JSC_minEdenToOldGenerationRatio: '0.1',
  // The engine would let garbage grow to as much as there is else, which it takes to be 35 MiB: source text and room for records
  // count. A collection of what is new costs next to nothing, and what it frees is used again while the processor has it at
  // hand: with 20 % of growth a blob from another node costs a tenth less, and with 14 % as much as with 20.
  BUN_JSC_smallHeapGrowthFactor: '1.14',
  // The same for larger heaps: the third counts from some 40 MB on.
  BUN_JSC_mediumHeapGrowthFactor: '1.14',
  BUN_JSC_largeHeapGrowthFactor: '1.14',
  // In ms. Else a thread of the allocator looks ten times a second for memory to give back.
  MIMALLOC_PURGE_HOLES_MIN_INTERVAL: '5000',
};

/** Set for the program that is started anew, so that it happens once, whatever a later runtime does to the environment. */
const STARTED_ANEW = 'SPEGEL_STARTED_ANEW';

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
 * Starts the program anew in its own process if it was started without the settings; that takes as long as starting an
 * empty program. Returns undefined when there is nothing to do, and the error when it cannot be started: the process goes
 * on as it is, at the cost of some CPU time. What is open then is closed, and a signal that comes then is lost, so it has
 * to be the first thing that happens.
 */
export function startWithEngineSettings(image: ProcessImage = thisProcess()): Error | undefined {
  const { isCompiled, environment, executable, args, execve } = image;
  const missing = Object.entries(ENGINE_SETTINGS).filter(([name]) => environment[name] === undefined);
  if (!isCompiled || missing.length === 0) return undefined;
  if (environment[STARTED_ANEW] !== undefined) {
    return new Error(`Was started with ${missing.map(([name]) => name).join(' and ')}, and does not see it`);
  }
  try {
    execve(executable, args, { ...environment, ...Object.fromEntries(missing), [STARTED_ANEW]: '1' });
    return undefined;
  } catch (error) {
    return error as Error;
  }
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
