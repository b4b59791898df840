import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeCgroup } from './memory-cgroup.ts';
import { runCommand } from './run-command.ts';

/** A hierarchy of control groups: all of v2, or some controllers of v1. */
export interface CgroupMount {
  readonly mount: string;
  readonly type: 'cgroup' | 'cgroup2';
  /** Controllers of a v1 hierarchy, as mount options; empty for v2. */
  readonly controllers: string;
}

/** Where everything of a machine's control groups is mounted. */
const CGROUP_ROOT = '/sys/fs/cgroup';
/** Where mount and the like are on any Linux. */
const SYSTEM_PATH = '/usr/sbin:/usr/bin:/sbin:/bin';
/** Mount options that name no controller. */
const GENERAL_OPTIONS = new Set([
  'rw',
  'ro',
  'nosuid',
  'nodev',
  'noexec',
  'relatime',
  'noatime',
  'nsdelegate',
]);

/** The control group hierarchies of this machine, as they are mounted below /sys/fs/cgroup: chroots may have them elsewhere, too. */
export function listCgroupMounts(): readonly CgroupMount[] {
  return readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .flatMap((line): CgroupMount[] => {
      const [, mount = '', type = '', options = ''] = line.split(' ');
      if (type !== 'cgroup' && type !== 'cgroup2') return [];
      if (mount !== CGROUP_ROOT && !mount.startsWith(`${CGROUP_ROOT}/`)) return [];
      const controllers = options.split(',').filter((option) => !GENERAL_OPTIONS.has(option));
      return [{ mount, type, controllers: type === 'cgroup' ? controllers.join(',') : '' }];
    });
}

/**
 * Makes a process's mount namespace, which nothing else may be in, one that containers can be started in: `ip netns exec`
 * gives what it runs another /sys, without control groups. In a chroot it also becomes the namespace's root, because
 * whatever enters a namespace (nsenter, `runc exec`) starts at that, and would be outside of the chroot.
 */
export async function showCgroups(pid: number): Promise<void> {
  // pivot_root puts the old root on top of the new one.
  const leaveOldRoot = `cd /proc/${pid}/root && pivot_root . . && umount --lazy . && cd /`;
  // The PATH of this process may lead to a folder that the other root does not have.
  const script = [
    'set -e',
    `PATH=${SYSTEM_PATH}`,
    `if [ "$(readlink /proc/${pid}/root)" != / ]; then ${leaveOldRoot}; fi`,
  ];
  const mounts = listCgroupMounts();
  // v1 has its hierarchies side by side on a tmpfs; v2 alone is mounted there itself.
  if (mounts.some(({ mount }) => mount !== CGROUP_ROOT)) {
    script.push(`mount -t tmpfs -o mode=755 cgroup ${CGROUP_ROOT}`);
  }
  for (const { mount, type, controllers } of mounts) {
    const options = controllers === '' ? '' : `-o ${controllers}`;
    script.push(`mkdir -p ${mount}`, `mount -t ${type} ${options} cgroup ${mount}`);
  }
  await runCommand(['nsenter', '--target', String(pid), '--mount', '/bin/sh', '-c', script.join('\n')]);
}

/** Kills what is left in the control groups of that name, in all hierarchies, and removes them. */
export function removeCgroups(name: string): void {
  for (const { mount } of listCgroupMounts()) {
    const path = join(mount, name);
    for (const pid of readMembers(path)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself.
      }
    }
    removeCgroup(path);
  }
}

/** Empty for a control group that is not there, or no more: runc removes it too, when its container has ended. */
function readMembers(path: string): readonly number[] {
  try {
    const pids = readFileSync(join(path, 'cgroup.procs'), 'utf8').split('\n');
    return pids.filter((pid) => pid !== '').map(Number);
  } catch {
    return [];
  }
}
