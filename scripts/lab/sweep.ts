import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { listCgroupMounts, removeCgroups } from './cgroup-mounts.ts';
import { isOfDeadLab } from './lab-id.ts';

/**
 * Removes what labs left behind whose process was killed with SIGKILL, which leaves no time to clean up.
 * Their processes have died with it; namespaces, folders, and containers in control groups have not.
 */
export function sweepDeadLabs(folders: readonly string[]): void {
  const { stdout } = Bun.spawnSync(['ip', 'netns', 'list']);
  for (const line of stdout.toString().split('\n')) {
    const [name = ''] = line.split(' ');
    // Another lab that starts right now may be faster.
    if (isOfDeadLab(name)) Bun.spawnSync(['ip', 'netns', 'del', name]);
  }
  for (const folder of [...folders, '/etc/netns']) {
    for (const name of readNames(folder).filter(isOfDeadLab)) {
      rmSync(join(folder, name), { recursive: true, force: true });
    }
  }
  const cgroups = listCgroupMounts().flatMap(({ mount }) => readdirSync(mount));
  for (const name of new Set(cgroups.filter(isOfDeadLab))) removeCgroups(name);
}

/** What is in a folder; nothing if there is none: another lab that ends right now removes it. */
function readNames(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
