import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseControlGroups, V1_MOUNT, V2_MOUNT } from './control-groups.ts';
import { statusBytes } from './process-status.ts';

/** How much of what is shared may be handed out just now. */
export interface MemoryRoom {
  /** 1: all of it; less when the process comes close to its limit, and never less than LEAST_SHARE. */
  share(): number;
}

/** What createMemoryRoom needs. */
export interface MemoryRoomDeps {
  /** Milliseconds that never go back. */
  readonly nowMs: () => number;
  /** See memoryReader(). */
  readonly readUse: () => number | undefined;
}

/** Room without end. */
export const PLENTY_OF_ROOM: MemoryRoom = { share: () => 1 };

/** How old the last look may be, in ms. It takes some 50 us. */
const LOOK_MS = 100;
/** Parts of the limit: below PLENTY everything may be handed out, above SHORT only LEAST_SHARE. */
const [PLENTY, SHORT] = [0.7, 0.85];
/** Not nothing: what is handed out is given back soon, and to refuse everything would not free it sooner. */
const LEAST_SHARE = 0.1;

/**
 * Watches what the process really has, beside the budgets for what it hands out: those cannot count what the engine and the
 * allocator keep. Looks when it is asked, so that nothing runs while nobody asks. `limitBytes` is in bytes.
 */
export function createMemoryRoom({ nowMs, readUse }: MemoryRoomDeps, limitBytes: number): MemoryRoom {
  let lookedMs = -Infinity;
  let share = 1;
  return {
    share() {
      const now = nowMs();
      if (now - lookedMs < LOOK_MS) return share;
      lookedMs = now;
      const used = (readUse() ?? 0) / limitBytes;
      share = Math.min(
        1,
        Math.max(LEAST_SHARE, 1 - ((used - PLENTY) / (SHORT - PLENTY)) * (1 - LEAST_SHARE)),
      );
      return share;
    },
  };
}

/** Where the control group cannot be seen, that much of the limit counts as the kernel's buffers of sockets. */
const UNSEEN_SOCKETS = 0.12;
/** What a control group of v2 is charged for and cannot be made to give back (memory.stat of the kernel's documentation). */
const FIRM_CHARGES = /^(?:anon|shmem|kernel|sock) (\d+)$/gm;

/**
 * Returns what reads how much memory the process has that cannot be taken from it, in bytes: what its control group of v2 is
 * charged for without page cache; else its own (RssAnon of proc_pid_status(5)) with what a group of v1 is charged for the
 * kernel's buffers of sockets, which is nothing where v1 has no limit for these. Undefined where that cannot be told.
 * `root` is another `/`, for tests.
 */
export function memoryReader(limitBytes: number, root = ''): () => number | undefined {
  const read = (path: string): string => {
    try {
      return readFileSync(`${root}${path}`, 'utf8');
    } catch {
      return '';
    }
  };
  const groups = parseControlGroups(read('/proc/self/cgroup'));
  // In a container the path may be one of the host that is not there: the mount itself is then the own group.
  const v2 = [groups.v2 ?? '', '']
    .map((path) => `${V2_MOUNT}${path}`)
    // The group of the whole machine has no such file. What it counts is that of all processes.
    .find(
      (folder) => read(join(folder, 'memory.current')) !== '' && read(join(folder, 'memory.stat')) !== '',
    );
  if (v2 !== undefined) {
    const stat = join(v2, 'memory.stat');
    return () => {
      const charges = [...read(stat).matchAll(FIRM_CHARGES)].map(([, bytes]) => Number(bytes));
      return charges.length === 0 ? undefined : charges.reduce((sum, bytes) => sum + bytes, 0);
    };
  }
  const v1 = [groups.v1 ?? '', '']
    .map((path) => `${V1_MOUNT}${path}/memory.kmem.tcp.usage_in_bytes`)
    .find((path) => read(path) !== '');
  return () => {
    const ownBytes = statusBytes(read('/proc/self/status'), 'RssAnon');
    if (ownBytes === undefined) return undefined;
    return ownBytes + (v1 === undefined ? UNSEEN_SOCKETS * limitBytes : Number(read(v1)));
  };
}
