import { readlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { HostRoot } from '../runtime/host-root.ts';

/** What of a host can be looked at: all of it, or, in a pod, the folders that are mounted. */
export interface HostView {
  /** True if all of it can be looked at. */
  readonly isWhole: boolean;
  /**
   * False if it cannot be told whether there is something at the path: the folder that it would be in is not there, and
   * not all of the host is. Links are followed.
   */
  sees(path: string): Promise<boolean>;
}

/** Tells how much of the host is there. Never rejects. */
export async function viewHost(host: HostRoot): Promise<HostView> {
  const isWhole = (await hasRelease(host)) && !(await isOwnContainer(host));
  return {
    isWhole,
    async sees(path) {
      if (isWhole) return true;
      try {
        // From the mounted folder on, since a link may lead out of it.
        const folder = dirname(await host.locate(path));
        const below = folder.slice(host.folder === '/' ? 0 : host.folder.length) || '/';
        return (await host.kind(below)) === 'folder';
      } catch {
        return false;
      }
    },
  };
}

/** Every host has os-release(5); a few mounted folders have not. */
async function hasRelease(host: HostRoot): Promise<boolean> {
  for (const path of ['/etc/os-release', '/usr/lib/os-release']) {
    if ((await host.kind(path).catch(() => 'absent')) !== 'absent') return true;
  }
  return false;
}

/** True if `/` is that of a container that was made to run this program: its first process is one of it. */
async function isOwnContainer(host: HostRoot): Promise<boolean> {
  if (host.folder !== '/') return false;
  try {
    const [first, own] = await Promise.all([readlink('/proc/1/exe'), readlink('/proc/self/exe')]);
    return first === own;
  } catch {
    return false;
  }
}
