import { createHash } from 'node:crypto';
import { lstat, readFile, readlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type HostFiles, removeTemporaries, systemHostFiles, temporaryPath } from './host-files.ts';
import { copyAtomically, copyTree, lstatIfPresent } from './host-tree.ts';
import { type HostsChange, isWrittenBySpegel } from './hosts-changes.ts';
import { type PlannedHostsToml, hostsConfigFailure } from './hosts-config.ts';
import type { HostsState } from './hosts-state.ts';

const FOLDER_MODE = 0o755;
const PERMISSIONS = 0o7777;

/** What a run does, in this order: a kill at any point leaves everything that was there, in its place or in `_backup`. */
export interface HostsChanges {
  readonly saves: readonly HostsChange[];
  readonly missing: readonly HostsChange[];
  readonly plan: readonly PlannedHostsToml[];
  readonly undo: readonly HostsChange[];
}

/** True if there is nothing to do. */
export function isUnchanged({ saves, missing, plan, undo }: HostsChanges): boolean {
  return [saves, missing, undo].every(({ length }) => length === 0) && plan.every(({ changed }) => !changed);
}

/**
 * Makes the changes. Before the first one everything is copied into `_backup`, unless that is there already. Throws
 * HostsConfigError; what was done until then is complete in itself, and another run goes on from there.
 */
export async function writeHosts(
  state: HostsState,
  changes: HostsChanges,
  files: HostFiles = systemHostFiles,
): Promise<void> {
  if (isUnchanged(changes)) return;
  const { configPath } = state;
  await failing(`Cannot write ${configPath}`, async () => {
    await makeFolders(configPath, files);
    await removeTemporaries(configPath, files);
  });
  if (!state.hasBackup) await makeBackup(state, files);
  await applyChanges(state, [...changes.saves, ...changes.missing], files);
  for (const planned of changes.plan) {
    if (!planned.changed) continue;
    await failing(`Cannot write ${planned.path}`, async () => writeHostsToml(state, planned, files));
  }
  await applyChanges(state, changes.undo, files);
}

/** Makes changes that write no hosts.toml of ours. Throws HostsConfigError. */
export async function applyChanges(
  state: HostsState,
  changes: readonly HostsChange[],
  files: HostFiles,
): Promise<void> {
  for (const change of changes) {
    await failing(`Cannot write ${join(state.configPath, change.path)}`, async () =>
      applyChange(state, change, files),
    );
  }
}

async function makeBackup(state: HostsState, files: HostFiles): Promise<void> {
  const { configPath, backupPath } = state;
  await failing(`Cannot copy ${configPath} to ${backupPath}`, async () =>
    copyAtomically(configPath, backupPath, files, { omit: isWrittenBySpegel(state) }),
  );
}

async function applyChange(state: HostsState, { what, path }: HostsChange, files: HostFiles): Promise<void> {
  const { configPath, backupPath } = state;
  const [here, kept] = [join(configPath, path), join(backupPath, path)];
  const temporary = temporaryPath(configPath, path);
  switch (what) {
    case 'save': {
      const isWritten = isWrittenBySpegel(state);
      // A temporary name within _backup would be brought back by the original's cleanup.
      await copyAtomically(here, kept, files, {
        folder: configPath,
        omit: (below) => isWritten(`${path}/${below}`),
      });
      return;
    }
    case 'save-newer':
      await files.linkFile(kept, `${kept}.${await shortHash(kept)}.old`).catch(unless('EEXIST'));
      await copyAtomically(here, kept, files, { folder: configPath });
      return;
    case 'bring-back':
    case 'restore-hosts-toml':
      await copyAtomically(kept, here, files);
      return;
    case 'bring-back-attributes': {
      const { uid, gid, mode } = await lstat(kept);
      await files.setOwner(here, uid, gid);
      await files.setMode(here, mode & PERMISSIONS);
      return;
    }
    case 'remove-hosts-toml':
      await files.removeFile(here);
      await files.syncFolder(dirname(here));
      return;
    case 'remove-folder':
      // An empty folder would hide _default, and look like somebody else's: it goes with its file, at once.
      await files.rename(here, temporary);
      await files.syncFolder(configPath);
      await files.removeTree(temporary);
      return;
    case 'restore-link': {
      const link = temporaryPath(configPath, path);
      await copyTree(kept, link, files, () => false);
      await files.rename(here, temporary);
      await files.rename(link, here);
      await files.syncFolder(configPath);
      await files.removeTree(temporary);
    }
  }
}

/** Replaces the file, or a link in its place: what is behind a link is also read from elsewhere, and is not in `_backup`. */
async function writeHostsToml(
  { configPath }: HostsState,
  { path, text, mode }: PlannedHostsToml,
  files: HostFiles,
): Promise<void> {
  const folder = dirname(path);
  const stats = await lstatIfPresent(folder);
  const content = Buffer.from(text);
  if (stats?.isDirectory() === true) {
    const temporary = temporaryPath(folder, path);
    try {
      await files.writeNewFile(temporary, content, mode);
      await files.rename(temporary, path);
    } catch (error) {
      await files.removeTree(temporary).catch(() => {});
      throw error;
    }
    await files.syncFolder(folder);
    return;
  }
  const temporary = temporaryPath(configPath, folder);
  try {
    await files.makeFolder(temporary, FOLDER_MODE);
    await files.writeNewFile(join(temporary, 'hosts.toml'), content, mode);
    await files.syncFolder(temporary);
    if (stats?.isSymbolicLink() === true) await files.removeFile(folder);
    await files.rename(temporary, folder);
  } catch (error) {
    await files.removeTree(temporary).catch(() => {});
    throw error;
  }
  await files.syncFolder(configPath);
}

/** Makes the folders of a path that are not there. */
export async function makeFolders(path: string, files: HostFiles): Promise<void> {
  if ((await lstatIfPresent(path)) !== undefined) return;
  await makeFolders(dirname(path), files);
  await files.makeFolder(path, FOLDER_MODE);
  await files.syncFolder(dirname(path));
}

async function shortHash(path: string): Promise<string> {
  const stats = await lstat(path);
  const content = stats.isSymbolicLink() ? await readlink(path) : await readFile(path);
  return createHash('sha256').update(content).digest('hex').slice(0, 12);
}

function unless(code: string): (error: NodeJS.ErrnoException) => void {
  return (error) => {
    if (error.code !== code) throw error;
  };
}

async function failing(what: string, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    throw hostsConfigFailure(what, error);
  }
}
