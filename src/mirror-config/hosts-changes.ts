import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  differsInAttributes,
  isCopyOfOriginal,
  isSameEntry,
  lstatIfPresent,
  readNames,
} from './host-tree.ts';
import { BACKUP_FOLDER, type PlannedHostsToml, hostsConfigFailure } from './hosts-config.ts';
import { type HostsFolderState, type HostsState, isTakenAway } from './hosts-state.ts';

/** One thing to do besides writing a hosts.toml; paths are below the configuration and below `_backup` alike. */
export interface HostsChange {
  readonly what:
    /** Copy what somebody has added since `_backup` was made to there. */
    | 'save'
    /** The same for a hosts.toml that they have changed since; the one in `_backup` gets another name. */
    | 'save-newer'
    /** Bring back what the original has taken away, or has replaced by a copy. */
    | 'bring-back'
    /** Give a folder the mode and owner again that it had. */
    | 'bring-back-attributes'
    /** Put the hosts.toml of `_backup` in the place of one that spegel has written. */
    | 'restore-hosts-toml'
    /** Remove a hosts.toml that spegel has written where there was none. */
    | 'remove-hosts-toml'
    /** Remove a folder in which there is nothing else. */
    | 'remove-folder'
    /** Remove such a folder and put the link back that was there. */
    | 'restore-link';
  readonly path: string;
}

/** Tells what of the configuration spegel has written, for what copies it. */
export function isWrittenBySpegel({ folders }: HostsState): (path: string) => boolean {
  const written = new Set<string>([BACKUP_FOLDER]);
  for (const folder of folders.values()) {
    if (folder.isOurs) written.add(folder.name);
    else if (hasWrittenHostsToml(folder)) written.add(`${folder.name}/hosts.toml`);
  }
  return (path) => written.has(path);
}

/** What somebody has added or changed since `_backup` was made, so that a run of the original does not lose it. */
export async function findSaves(state: HostsState): Promise<readonly HostsChange[]> {
  const { configPath, backupPath } = state;
  const isWritten = isWrittenBySpegel(state);
  const visit = async (folder: string): Promise<HostsChange[]> => {
    const changes: HostsChange[] = [];
    for (const name of await readNames(join(configPath, folder))) {
      const path = join(folder, name);
      if (isWritten(path)) continue;
      const [here, there] = [join(configPath, path), join(backupPath, path)];
      const kept = await lstatIfPresent(there);
      if (kept === undefined) changes.push({ what: 'save', path });
      else if (kept.isDirectory()) {
        if ((await lstat(here)).isDirectory()) changes.push(...(await visit(path)));
      } else if (isHostsToml(path) && !(await isSameEntry(here, there))) {
        changes.push({ what: 'save-newer', path });
      }
    }
    return changes;
  };
  return reading(state, () => visit(''));
}

/** What `configure` has to bring back; what somebody has deleted since stays deleted. */
export async function findTakenAway(state: HostsState): Promise<readonly HostsChange[]> {
  if (state.originalRanLast) return findMissing(state, { attributes: true });
  return Array.from(state.folders.values())
    .filter((folder) => isTakenAway(folder, false))
    .map(({ name }) => ({ what: 'bring-back', path: name }));
}

/** What is in `_backup` and no more at its place. `attributes`: also what the original changes when it copies. */
export async function findMissing(
  state: HostsState,
  { attributes }: { readonly attributes: boolean },
): Promise<readonly HostsChange[]> {
  const { configPath, backupPath } = state;
  const isWritten = isWrittenBySpegel(state);
  const visit = async (folder: string): Promise<HostsChange[]> => {
    const changes: HostsChange[] = [];
    for (const name of await readNames(join(backupPath, folder))) {
      const path = join(folder, name);
      const [here, there] = [join(configPath, path), join(backupPath, path)];
      const [present, kept] = await Promise.all([lstatIfPresent(here), lstat(there)]);
      if (present === undefined) changes.push({ what: 'bring-back', path });
      else if (present.isDirectory()) {
        if (!kept.isDirectory()) continue;
        if (attributes && (await differsInAttributes(here, there))) {
          changes.push({ what: 'bring-back-attributes', path });
        }
        changes.push(...(await visit(path)));
      } else if (attributes && !isWritten(path) && (await isCopyOfOriginal(here, there))) {
        changes.push({ what: 'bring-back', path });
      }
    }
    return changes;
  };
  return reading(state, () => visit(''));
}

/** What undoes the hosts.toml files of earlier runs, but for those that the plan writes. */
export async function findUndo(
  state: HostsState,
  plan: readonly PlannedHostsToml[],
): Promise<readonly HostsChange[]> {
  const planned = new Set(plan.map(({ path }) => path));
  const undo = Array.from(state.folders.values(), async (folder): Promise<HostsChange[]> => {
    const { name, isOurs } = folder;
    const path = `${name}/hosts.toml`;
    if (!hasWrittenHostsToml(folder) || planned.has(join(state.configPath, path))) return [];
    const kept = await lstatIfPresent(join(state.backupPath, name));
    if (kept === undefined && isOurs) return [{ what: 'remove-folder', path: name }];
    // Also one that leads nowhere, as a link out of what is mounted into a container does.
    if (kept?.isDirectory() === false && isOurs) return [{ what: 'restore-link', path: name }];
    const hasKept = (await lstatIfPresent(join(state.backupPath, path))) !== undefined;
    if (kept?.isDirectory() === true && hasKept) return [{ what: 'restore-hosts-toml', path }];
    return [{ what: 'remove-hosts-toml', path }];
  });
  return reading(state, async () => (await Promise.all(undo)).flat());
}

/** A file through a link to a folder is none of ours: runs make a folder in place of the link. */
function hasWrittenHostsToml({ kind, current }: HostsFolderState): boolean {
  return kind === 'folder' && current !== undefined && current.author !== 'other';
}

function isHostsToml(path: string): boolean {
  return /^[^/]+\/hosts\.toml$/.test(path);
}

async function reading<T>({ configPath }: HostsState, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw hostsConfigFailure(`Cannot read ${configPath}`, error);
  }
}
