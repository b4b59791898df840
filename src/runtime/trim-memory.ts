import { readFile } from 'node:fs/promises';

import type { Clock } from './clock.ts';
import { createCalmWatch, isLittle } from './memory/calm-watch.ts';
import { readMemoryLimit } from './memory/memory-limit.ts';
import { statusBytes } from './memory/process-status.ts';
import { createSoftLimit } from './memory/soft-limit.ts';
import { createCodeTrim } from './memory/trim-code.ts';
import { createHeapTrim } from './memory/trim-heap.ts';
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
  /** True while nothing waits for this process: giving memory back stops the process for some hundredths of a second. */
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
/** Time until memory is given back again. A collection takes some hundredths of a second. */
const PAUSE_MS = 4 * MINUTE_MS;
/** The same after the process was shrunk, or had nothing to give: what that leaves is looked at soon, because it may be growing. */
const SHORT_PAUSE_MS = 20 * SECOND_MS;
/** What a process without a limit is held to: the chart's. It shares a node with a workload all the same. */
const USUAL_LIMIT_BYTES = 128 * 1024 * 1024;

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
  const softLimit = createSoftLimit({ clock, collect }, (await readLimit()) ?? USUAL_LIMIT_BYTES);
  const trimHeap = createHeapTrim({ shrink, collect });
  const trimCode = createCodeTrim({ unload, readFileBytes: async () => (await readMemory())?.fileBytes });
  const calm = createCalmWatch(isIdle);
  let restMs = 0;
  while (!signal.aborted) {
    const waitMs = Math.min(calm.lookMs, softLimit.lookMs);
    const cpuBeforeMs = cpuMs();
    await clock.sleep(waitMs, signal).catch(() => {});
    if (signal.aborted) return;
    const usedMs = cpuMs() - cpuBeforeMs;
    restMs = Math.max(0, restMs - waitMs);
    softLimit.passed(waitMs);
    const isDue = calm.passed(waitMs, usedMs) && restMs === 0;
    // A process that does next to nothing does not grow.
    if (!isDue && (softLimit.isResting || isLittle(usedMs, waitMs))) continue;
    const memory = await readMemory();
    if (memory === undefined) continue;
    if (!isDue) {
      softLimit.apply(memory.anonymousBytes);
      continue;
    }
    const done = trimHeap(memory.anonymousBytes);
    // Last: what the others use of it is loaded by then.
    const isUnloaded = await trimCode(memory.fileBytes);
    const isShort = done === 'shrunk' || (done === 'left' && !isUnloaded);
    restMs = isShort ? SHORT_PAUSE_MS : PAUSE_MS;
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
