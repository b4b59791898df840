import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cleanup } from './cleanup.ts';

/** What the processes of a cgroup used so far. */
export interface MemoryUse {
  /** Largest charge, page cache included; on v2 that of TCP is in it. In bytes. */
  readonly peakBytes: number;
  /** Largest charge of TCP's buffers on v1; on v2, what they are now. In bytes. */
  readonly peakTcpBytes: number;
  /** How often a charge met the limit: the kernel then took page cache back, or killed. */
  readonly atLimit: number;
  /** How often TCP met its own limit, which only v1 has. */
  readonly tcpAtLimit: number;
  readonly oomKills: number;
}

/** A control group that bounds memory. */
export interface MemoryCgroup {
  readonly limitBytes: number;
  /**
   * Prefix that runs a command inside; the command replaces it. It has to stand before what enters a network
   * namespace, since `ip netns exec` mounts another /sys.
   */
  readonly enter: readonly string[];
  use(): MemoryUse;
}

/** Options of createMemoryCgroup. */
export interface MemoryCgroupOptions {
  readonly name: string;
  /** For everything, TCP's buffers included, which v1 counts apart and bounds by the same number. */
  readonly limitBytes: number;
}

/** Where the memory controller is. */
interface Controller {
  readonly version: 1 | 2;
  readonly mount: string;
}

/** A killed process is charged until the kernel has taken it apart, in ms. */
const REMOVE_WAIT_MS = 2_000;

/** Makes a control group, of v2 where the memory controller is there, else of v1. Needs root. */
export function createMemoryCgroup(
  { cleanup }: { readonly cleanup: Cleanup },
  { name, limitBytes }: MemoryCgroupOptions,
): MemoryCgroup {
  const { version, mount } = findController();
  if (version === 2) writeFileSync(join(mount, 'cgroup.subtree_control'), '+memory');
  const path = join(mount, name);
  mkdirSync(path);
  cleanup.defer(`memory cgroup ${name}`, () => removeCgroup(path));
  const limits =
    version === 2
      ? { 'memory.max': limitBytes, 'memory.swap.max': 0 }
      : {
          'memory.limit_in_bytes': limitBytes,
          'memory.memsw.limit_in_bytes': limitBytes,
          // Without a limit v1 does not count TCP's buffers at all.
          'memory.kmem.tcp.limit_in_bytes': limitBytes,
        };
  for (const [file, value] of Object.entries(limits)) {
    // Kernels without swap accounting lack its files.
    if (existsSync(join(path, file))) writeFileSync(join(path, file), String(value));
  }
  return {
    limitBytes,
    enter: ['sh', '-c', 'echo $$ >"$0/cgroup.procs" && exec "$@"', path],
    use: () => (version === 2 ? readV2(path) : readV1(path)),
  };
}

/** Removes a control group as soon as the last of its processes is gone. */
export function removeCgroup(path: string): void {
  const deadline = performance.now() + REMOVE_WAIT_MS;
  while (existsSync(path)) {
    try {
      rmdirSync(path);
    } catch (error) {
      if (performance.now() >= deadline) throw error;
      Bun.sleepSync(10);
    }
  }
}

/** Where cgroups of createMemoryCgroup are; undefined if there is no memory controller. */
export function memoryCgroupMount(): string | undefined {
  try {
    return findController().mount;
  } catch {
    return undefined;
  }
}

function findController(): Controller {
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => {
      const [, mount = '', type = '', options = ''] = line.split(' ');
      return { mount, type, options: options.split(',') };
    });
  for (const { mount } of mounts.filter(({ type }) => type === 'cgroup2')) {
    const controllers = readFileSync(join(mount, 'cgroup.controllers'), 'utf8').trim().split(' ');
    if (controllers.includes('memory')) return { version: 2, mount };
  }
  const v1 = mounts.find(({ type, options }) => type === 'cgroup' && options.includes('memory'));
  if (v1 !== undefined) return { version: 1, mount: v1.mount };
  throw new Error('This machine has no memory controller: neither a cgroup2 mount nor one of v1 offers it');
}

function readV1(path: string): MemoryUse {
  return {
    peakBytes: readNumber(path, 'memory.max_usage_in_bytes'),
    peakTcpBytes: readNumber(path, 'memory.kmem.tcp.max_usage_in_bytes'),
    atLimit: readNumber(path, 'memory.failcnt'),
    tcpAtLimit: readNumber(path, 'memory.kmem.tcp.failcnt'),
    oomKills: readField(path, 'memory.oom_control', 'oom_kill'),
  };
}

function readV2(path: string): MemoryUse {
  return {
    peakBytes: readNumber(path, 'memory.peak'),
    peakTcpBytes: readField(path, 'memory.stat', 'sock'),
    atLimit: readField(path, 'memory.events', 'max'),
    tcpAtLimit: 0,
    oomKills: readField(path, 'memory.events', 'oom_kill'),
  };
}

function readNumber(path: string, file: string): number {
  return Number(readFileSync(join(path, file), 'utf8'));
}

function readField(path: string, file: string, field: string): number {
  const match = new RegExp(`^${field} (\\d+)$`, 'm').exec(readFileSync(join(path, file), 'utf8'));
  if (match === null) throw new Error(`Cannot find "${field}" in ${join(path, file)}`);
  return Number(match[1]);
}
