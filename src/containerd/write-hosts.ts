import { chmod, mkdir, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder, writeFileAtomically } from '../runtime/write-file-atomically.ts';
import { type PlannedHostsToml, hostsConfigFailure } from './hosts-config.ts';

const FOLDER_MODE = 0o755;

/** Writes what has changed, each file atomically. Throws HostsConfigError. */
export async function writeHosts(configPath: string, plan: readonly PlannedHostsToml[]): Promise<void> {
  for (const { path, text, mode, changed } of plan) {
    if (!changed) continue;
    try {
      await makeFolder(configPath, { parents: true });
      await makeFolder(dirname(path), { parents: false });
      await writeFileAtomically(await resolveLink(path), text, { mode });
    } catch (error) {
      throw hostsConfigFailure(`Cannot write ${path}`, error);
    }
  }
}

async function makeFolder(path: string, { parents }: { readonly parents: boolean }): Promise<void> {
  const before = await stat(path).catch(() => undefined);
  if (before?.isDirectory() === true) return;
  await mkdir(path, { recursive: parents });
  await chmod(path, FOLDER_MODE);
  await syncFolder(dirname(path));
}

/** The file that a link stands for, so that the link stays. */
async function resolveLink(path: string): Promise<string> {
  return realpath(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return path;
    throw error;
  });
}
