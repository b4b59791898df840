import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Cleanup } from './cleanup.ts';

/** What the processes of a cgroup used so far. */
export interface MemoryUse {
  /** Largest charge, page cache included; on v2 that of TCP is in it. In bytes. */
  readonly peakBytes: number;
  /** Largest charge of TCP's buffers on v1; on v2, what they are now. In bytes. */
  readonly peakTcpBytes: number;
  /** Whether TCP's buffers are counted apart from the rest, as v1 does. */
  readonly isTcpApart: boolean;
  /** How often a charge met the limit: the kernel then took page cache back, or killed. */
  readonly atLimit: number;
  /** How often TCP met its own limit, which only v1 has. */
  readonly tcpAtLimit: number;
  readonly oomKills: number;
}

/** What the processes of a cgroup are charged for now. In bytes. */
export interface MemoryCharge {
  /** Everything, that of TCP included. */
  readonly totalBytes: number;
  readonly tcpBytes: number;
  /** Page cache in it, which the kernel takes back before it kills. */
  readonly cacheBytes: number;
}

/** A control group that bounds memory. */
export interface MemoryCgroup {
  readonly limitBytes: number;
  /**
   * Prefix that runs a command inside; the command replaces it. It has to stand before what enters a network
   * namespace, since `ip netns exec` mounts another /sys.
   */
  readonly enter: readonly string[];
  /**
   * Prefix that shows a command its control group, if it is to be seen. It has to stand behind what enters a network
   * namespace: it needs the mount namespace that `ip netns exec` makes.
   */
  readonly show: readonly string[];
  use(): MemoryUse;
  charge(): MemoryCharge;
  /** Counts anew: the group is removed and made again. Throws while a process is in it. */
  reset(): void;
}

/** Options of createMemoryCgroup. */
export interface MemoryCgroupOptions {
  readonly name: string;
  /** For everything, TCP's buffers included, which v1 counts apart and bounds by the same number. */
  readonly limitBytes: number;
  /** Default hidden. */
  readonly view?: LimitView | undefined;
}

/**
 * Whether a process can find its limit: `seen` as in a container, whose own group is all that it sees; `hidden` as
 * where the limit is one of a group around its own. Bun's engine looks for it, and collects garbage much sooner when it
 * finds a small one: hidden is the harder case.
 */
export type LimitView = 'hidden' | 'seen';

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
  { name, limitBytes, view = 'hidden' }: MemoryCgroupOptions,
): MemoryCgroup {
  const controller = findController();
  const { version, mount } = controller;
  if (version === 2) writeFileSync(join(mount, 'cgroup.subtree_control'), '+memory');
  const path = join(mount, name);
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
  const make = (): void => {
    mkdirSync(path);
    for (const [file, value] of Object.entries(limits)) {
      // Kernels without swap accounting lack its files.
      if (existsSync(join(path, file))) writeFileSync(join(path, file), String(value));
    }
  };
  make();
  return {
    limitBytes,
    enter: ['sh', '-c', 'echo $$ >"$0/cgroup.procs" && exec "$@"', path],
    show: view === 'seen' ? ['sh', '-c', `${showCommands(controller)} && exec "$@"`, name] : [],
    use: () => (version === 2 ? readV2(path) : readV1(path)),
    charge: () => (version === 2 ? chargeV2(path) : chargeV1(path)),
    reset: () => {
      removeCgroup(path);
      make();
    },
  };
}

/** Shell commands that show the group $0 where a container has its own, in a mount namespace with a /sys of its own. */
function showCommands({ version, mount }: Controller): string {
  const commands =
    version === 2
      ? [`mount -t cgroup2 cgroup ${mount}`]
      : [
          `mount -t tmpfs cgroup ${dirname(mount)}`,
          `mkdir ${mount}`,
          `mount -t cgroup -o memory cgroup ${mount}`,
        ];
  return [...commands, `mount --bind "${mount}/$0" ${mount}`].join(' && ');
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
    isTcpApart: true,
    atLimit: readNumber(path, 'memory.failcnt'),
    tcpAtLimit: readNumber(path, 'memory.kmem.tcp.failcnt'),
    oomKills: readField(path, 'memory.oom_control', 'oom_kill'),
  };
}

function readV2(path: string): MemoryUse {
  return {
    peakBytes: readNumber(path, 'memory.peak'),
    peakTcpBytes: readField(path, 'memory.stat', 'sock'),
    isTcpApart: false,
    atLimit: readField(path, 'memory.events', 'max'),
    tcpAtLimit: 0,
    oomKills: readField(path, 'memory.events', 'oom_kill'),
  };
}

function chargeV1(path: string): MemoryCharge {
  const tcpBytes = readNumber(path, 'memory.kmem.tcp.usage_in_bytes');
  return {
    totalBytes: readNumber(path, 'memory.usage_in_bytes') + tcpBytes,
    tcpBytes,
    cacheBytes: readField(path, 'memory.stat', 'cache'),
  };
}

function chargeV2(path: string): MemoryCharge {
  return {
    totalBytes: readNumber(path, 'memory.current'),
    tcpBytes: readField(path, 'memory.stat', 'sock'),
    cacheBytes: readField(path, 'memory.stat', 'file'),
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
