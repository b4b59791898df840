import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { type HostFiles, removeTemporaries, systemHostFiles, temporaryPath } from './host-files.ts';
import { lstatIfPresent, readNames } from './host-tree.ts';
import { type HostsChange, findMissing, findUndo } from './hosts-changes.ts';
import { hostsConfigFailure } from './hosts-config.ts';
import { type HostsState, readHostsState } from './hosts-state.ts';
import { applyChanges } from './write-hosts.ts';

/** What restoreHosts did. */
export interface RestoredHosts {
  readonly changes: readonly HostsChange[];
  /** False: there was no `_backup`, only files of ours were removed. */
  readonly hadBackup: boolean;
  /** Names for which there is something else now than a folder or the like of `_backup`, which is kept then. */
  readonly conflicts: readonly string[];
}

/**
 * Puts back what `spegel configure`, or the original, has changed, byte for byte, and removes `_backup`. What somebody
 * added or changed since stays. Killed at any point, another run goes on. Throws HostsConfigError.
 */
export async function restoreHosts(path: string, files: HostFiles = systemHostFiles): Promise<RestoredHosts> {
  const state = await readHostsState(path);
  const { configPath, backupPath, hasBackup, originalRanLast } = state;
  const isAbsent = (await lstatIfPresent(configPath)) === undefined;
  if (isAbsent) return { changes: [], hadBackup: false, conflicts: [] };
  const missing = hasBackup ? await findMissing(state, { attributes: originalRanLast }) : [];
  const changes = [...missing, ...(await findUndo(state, []))];
  try {
    await removeTemporaries(configPath, files);
    await applyChanges(state, changes, files);
    const conflicts = hasBackup ? await findConflicts(state) : [];
    if (hasBackup && conflicts.length === 0) {
      const temporary = temporaryPath(configPath, backupPath);
      await files.rename(backupPath, temporary);
      await files.syncFolder(configPath);
      await files.removeTree(temporary);
    }
    return { changes, hadBackup: hasBackup, conflicts };
  } catch (error) {
    throw hostsConfigFailure(`Cannot write ${configPath}`, error);
  }
}

/** Names that are a folder in one of the two places only. */
async function findConflicts({ configPath, backupPath }: HostsState): Promise<readonly string[]> {
  const names = (await readNames(backupPath)).map(async (name) => {
    const [here, kept] = await Promise.all([
      lstatIfPresent(join(configPath, name)),
      lstat(join(backupPath, name)),
    ]);
    return here === undefined || here.isDirectory() !== kept.isDirectory() ? [name] : [];
  });
  return (await Promise.all(names)).flat();
}
