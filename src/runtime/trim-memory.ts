import { readFile } from 'node:fs/promises';

import type { Clock } from './clock.ts';
import { readMemoryLimit } from './memory/memory-limit.ts';
import { statusBytes } from './memory/process-status.ts';
import { unloadCode } from './unload-code.ts';

/** Memory of the process, in bytes. */
export interface ProcessMemory {
  /** Its own: RssAnon of proc_pid_status(5). */
  readonly anonymousBytes: number;
  /** What is mapped of files, of the program above all: RssFile and RssShmem, as which a program in a tmpfs counts. */
  readonly fileBytes: number;
}

/** What trimMemory needs. */
export interface TrimMemoryDeps {
  readonly clock: Clock;
  /** True while nobody waits for anything: giving memory back stops the process for some hundredths of a second. */
  readonly isIdle: () => boolean;
  /** CPU time of the process so far, in ms. Default: as the runtime tells it. */
  readonly cpuMs?: () => number;
  /** Default: as Linux tells it; undefined elsewhere. */
  readonly readMemory?: () => Promise<ProcessMemory | undefined>;
  /** Most memory that it may have, in bytes; undefined: no limit. Default: its cgroup's. */
  readonly readLimit?: () => Promise<number | undefined>;
  /** Gives back what is not needed, compiled code and empty pages among it. Default: Bun's own way. */
  readonly shrink?: () => void;
  /** Gives back garbage. Default: a full collection of Bun's. */
  readonly collect?: () => void;
  /** Gives back what is mapped of files. Default: unloadCode. */
  readonly unload?: () => void;
}

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const MIB = 1024 * 1024;
/** For so long it has to be calm. */
const CALM_MS = 20 * SECOND_MS;
/** How often that is looked at, and how often a process is that has something to do: it may grow fast. */
const CALM_LOOK_MS = 2 * SECOND_MS;
const BUSY_LOOK_MS = SECOND_MS;
/** Share of a core below which the process has little to do: it has found its cluster, say. */
const CALM_SHARE = 0.02;
/**
 * Shrinking is for a process that is large; one that has met forty others has less. Code that is in use is compiled again
 * afterwards, some 0.1 s of CPU time.
 */
const LARGE_BYTES = 40 * MIB;
/**
 * Nor is it for one that has little more than what it was left with the last time. Less than this comes and goes as garbage
 * while others ask this node now and then, who would wait for it.
 */
const LARGE_STEP_BYTES = 8 * MIB;
/**
 * Garbage that is worth a collection of its own. Left alone the engine waits until there is about as much of it as there is
 * else, half an hour in a process with little to do; and what it then frees is in pages that hold something else, too.
 */
const GARBAGE_BYTES = 2 * MIB;
/**
 * Code of the program that is worth being unloaded: of 28 MiB that meeting others needs, a process with little to do uses 4
 * in half a minute. What it uses is mapped again within a millisecond or two.
 */
const CODE_BYTES = 8 * MIB;
/** Time until memory is given back again. A collection takes some hundredths of a second. */
const PAUSE_MS = 4 * MINUTE_MS;
/**
 * From this share of its limit on garbage is collected whatever else there is to do. The engine knows of no limit, nor of
 * what its objects hold outside of its heap (sockets, answers), and would wait until there is as much garbage as there is
 * else.
 */
const SOFT_LIMIT_SHARE = 0.65;
/** What a process without a limit is held to: the chart's. It shares a node with a workload all the same. */
const USUAL_LIMIT_BYTES = 128 * MIB;
/** Time until then, as a multiple of what it took: a process that needs more than it may have must get on nevertheless. */
const SOFT_LIMIT_REST = 50;

/**
 * Gives memory back that the process needed for a while, when it has grown and has nothing to do: garbage, the program's
 * own code, and when it is large also what the engine has compiled. It shares a node with a workload. Close to its limit it
 * collects garbage whatever it has to do. Runs until the signal aborts.
 */
export async function trimMemory(
  {
    clock,
    isIdle,
    cpuMs = readCpuMs,
    readMemory = readOwnMemory,
    readLimit = readMemoryLimit,
    // Deprecated with nothing in its place: a garbage collection leaves compiled code and empty pages where they are.
    // oxlint-disable-next-line typescript/no-deprecated
    shrink = () => Bun.shrink(),
    collect = () => Bun.gc(true),
    unload = unloadCode,
  }: TrimMemoryDeps,
  signal: AbortSignal,
): Promise<void> {
  const softLimitBytes = SOFT_LIMIT_SHARE * ((await readLimit()) ?? USUAL_LIMIT_BYTES);
  /** The least it had since garbage was last given back. */
  let leastBytes = Infinity;
  /** The same since it was last given back when the process was large; nothing before that. */
  let shrunkBytes = 0;
  /** What was mapped of files when code had just been unloaded. That is done first when starting is over. */
  let unloadedBytes = 0;
  /** For how long it need not collect for its limit again. */
  let softRestMs = 0;
  let restMs = 0;
  /** For how long it has been calm, and what it has needed of a core meanwhile. */
  let [calmMs, calmCpuMs] = [0, 0];
  while (!signal.aborted) {
    const waitMs = calmMs > 0 ? CALM_LOOK_MS : BUSY_LOOK_MS;
    const cpuBeforeMs = cpuMs();
    await clock.sleep(waitMs, signal).catch(() => {});
    if (signal.aborted) return;
    const usedMs = cpuMs() - cpuBeforeMs;
    calmMs += waitMs;
    calmCpuMs += usedMs;
    if (!isIdle() || calmCpuMs > CALM_SHARE * CALM_MS) [calmMs, calmCpuMs] = [0, 0];
    restMs = Math.max(0, restMs - waitMs);
    softRestMs = Math.max(0, softRestMs - waitMs);
    const isCalm = calmMs >= CALM_MS;
    if (isCalm) [calmMs, calmCpuMs] = [waitMs, 0];
    const isDue = isCalm && restMs === 0;
    // Who does next to nothing does not grow.
    if (!isDue && (softRestMs > 0 || usedMs <= CALM_SHARE * waitMs)) continue;
    const memory = await readMemory();
    if (memory === undefined) continue;
    const { anonymousBytes, fileBytes } = memory;
    if (!isDue && anonymousBytes >= softLimitBytes) {
      const startedMs = clock.nowMs();
      collect();
      softRestMs = SOFT_LIMIT_REST * (clock.nowMs() - startedMs);
      continue;
    }
    if (!isDue) continue;
    unloadedBytes = Math.min(unloadedBytes, fileBytes);
    leastBytes = Math.min(leastBytes, anonymousBytes);
    shrunkBytes = Math.min(shrunkBytes, anonymousBytes);
    const isLarge = anonymousBytes >= Math.max(LARGE_BYTES, shrunkBytes + LARGE_STEP_BYTES);
    const hasGrown = isLarge || anonymousBytes >= leastBytes + GARBAGE_BYTES;
    const isLoaded = fileBytes >= unloadedBytes + CODE_BYTES;
    // What shrinking leaves is looked at soon: the process may be growing.
    restMs = !isLarge && (hasGrown || isLoaded) ? PAUSE_MS : CALM_MS;
    if (isLarge) {
      shrink();
      shrunkBytes = Infinity;
    } else if (hasGrown) collect();
    if (hasGrown) leastBytes = Infinity;
    if (!isLoaded) continue;
    // Last: what the others use of it is loaded by then.
    unload();
    unloadedBytes = (await readMemory())?.fileBytes ?? fileBytes;
  }
}

function readCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** From proc_pid_status(5). */
async function readOwnMemory(): Promise<ProcessMemory | undefined> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '');
  const anonymousBytes = statusBytes(status, 'RssAnon');
  const mappedBytes = statusBytes(status, 'RssFile');
  const sharedBytes = statusBytes(status, 'RssShmem');
  if (anonymousBytes === undefined || mappedBytes === undefined || sharedBytes === undefined) {
    return undefined;
  }
  return { anonymousBytes, fileBytes: mappedBytes + sharedBytes };
}
