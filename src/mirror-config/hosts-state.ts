import type { Dirent, Stats } from 'node:fs';
import { readFile, readdir, readlink, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { isTemporaryName } from './host-files.ts';
import { lstatIfPresent, readNames } from './host-tree.ts';
import { type HostsAuthor, hostsAuthor } from './hosts-author.ts';
import { BACKUP_FOLDER, HostsConfigError, hostsConfigFailure } from './hosts-config.ts';

/** A hosts.toml that was there without spegel. */
export interface ExistingHostsToml {
  /** Where it is now. */
  readonly path: string;
  readonly text: string;
}

/** One folder of the configuration, at its place and in `_backup`. */
export interface HostsFolderState {
  readonly name: string;
  /** A link has a folder behind it. */
  readonly kind: 'absent' | 'folder' | 'link';
  /** The hosts.toml that containerd reads now, with who wrote it; undefined if there is none, or an empty one. */
  readonly current: { readonly text: string; readonly author: HostsAuthor } | undefined;
  /** True if there is nothing in it but what spegel has written. */
  readonly isOurs: boolean;
  /** The folder, or the link to it, in `_backup`. */
  readonly backup: 'absent' | 'folder' | 'link';
  /** What `_backup` has in place of the hosts.toml. */
  readonly backupText: string | undefined;
}

/** What is there before anything is changed. */
export interface HostsState {
  /** Absolute and without links. */
  readonly configPath: string;
  /** False: the folder has to be made. */
  readonly isThere: boolean;
  readonly backupPath: string;
  readonly hasBackup: boolean;
  /**
   * True if not everything of `_backup` is at its place because the original has moved it, and not because somebody has
   * deleted it since: there are files of the original, or no file of ours.
   */
  readonly originalRanLast: boolean;
  /** Every folder that is at its place or in `_backup`, by its name, sorted. */
  readonly folders: ReadonlyMap<string, HostsFolderState>;
  /** Names of links with nothing behind them, sorted: in a pod also those that leave the folder that is mounted. */
  readonly linksToNothing: readonly string[];
}

/** Reads the configuration. Throws HostsConfigError for what cannot be read. */
export async function readHostsState(path: string): Promise<HostsState> {
  const configPath = await resolveConfigPath(path);
  const backupPath = join(configPath, BACKUP_FOLDER);
  try {
    const hasBackup = await isBackup(backupPath);
    const kinds = await readKinds(configPath);
    const backupKinds = hasBackup ? await readKinds(backupPath, configPath) : new Map<string, never>();
    kinds.delete(BACKUP_FOLDER);
    const names = Array.from(new Set([...kinds.keys(), ...backupKinds.keys()])).sort();
    const folders = new Map<string, HostsFolderState>();
    for (const name of names) {
      const kind = kinds.get(name) ?? 'absent';
      const backup = backupKinds.get(name) ?? 'absent';
      folders.set(name, await readFolder({ configPath, backupPath, hasBackup, name, kind, backup }));
    }
    const authors = new Set(Array.from(folders.values(), ({ current }) => current?.author));
    const originalRanLast = hasBackup && (authors.has('original') || !authors.has('spegel'));
    const linksToNothing = await readLinksToNothing(configPath);
    const isThere = (await lstatIfPresent(configPath)) !== undefined;
    return { configPath, isThere, backupPath, hasBackup, originalRanLast, folders, linksToNothing };
  } catch (error) {
    throw hostsConfigFailure(`Cannot read ${configPath}`, error);
  }
}

/** What the registry's hosts.toml would be without spegel; undefined if there is none, or an empty one. */
export async function readExisting(
  state: HostsState,
  { name, kind, current, backup }: HostsFolderState,
): Promise<ExistingHostsToml | undefined> {
  const { configPath, backupPath, folders } = state;
  const path = join(configPath, name, 'hosts.toml');
  if (kind !== 'absent' && current?.author === 'other') return { path, text: current.text };
  // A link to nothing, a folder, no text: what is there is somebody's, and not what we may replace unread.
  if (kind !== 'absent' && current === undefined) await readHostsToml(path);
  if (backup === 'absent') return undefined;
  if (backup === 'link') {
    // Another folder of the configuration: that may have a newer hosts.toml than `_backup`.
    const target = resolve(configPath, await readlink(join(backupPath, name)));
    const folder = dirname(target) === configPath ? folders.get(basename(target)) : undefined;
    if (folder !== undefined) return readExisting(state, folder);
  }
  const kept = await backupFile(configPath, backupPath, name);
  const text = await readHostsToml(kept);
  return text === undefined ? undefined : { path: kept, text };
}

/**
 * True if a folder of `_backup` that is not at its place was not deleted by somebody: the original has moved it, or a run
 * was killed that was about to put a folder in place of a link.
 */
export function isTakenAway({ kind, backup }: HostsFolderState, originalRanLast: boolean): boolean {
  return kind === 'absent' && backup !== 'absent' && (originalRanLast || backup === 'link');
}

/** The folder behind a link that the configuration, or else `_backup`, has in place of a folder. */
export async function linkedFolder({ configPath, backupPath }: HostsState, name: string): Promise<string> {
  const stats = await lstatIfPresent(join(configPath, name));
  const link = join(stats?.isSymbolicLink() === true ? configPath : backupPath, name);
  return resolve(configPath, await readlink(link));
}

/** Links count from the folder that they are in, which is behind the link if the path is one. */
async function resolveConfigPath(path: string): Promise<string> {
  return realpath(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return resolve(path);
    throw hostsConfigFailure(`Cannot read ${path}`, error);
  });
}

async function isBackup(path: string): Promise<boolean> {
  const stats = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (stats === undefined && (await lstatIfPresent(path)) === undefined) return false;
  if (stats?.isDirectory() === true) return true;
  throw new HostsConfigError(`Cannot keep a backup in ${path}: it is no folder; move it away`);
}

async function readFolder(folder: {
  readonly configPath: string;
  readonly backupPath: string;
  readonly hasBackup: boolean;
  readonly name: string;
  readonly kind: HostsFolderState['kind'];
  readonly backup: HostsFolderState['backup'];
}): Promise<HostsFolderState> {
  const { configPath, backupPath, hasBackup, name, kind, backup } = folder;
  const backupText =
    backup === 'absent'
      ? undefined
      : await readHostsToml(await backupFile(configPath, backupPath, name)).catch(() => undefined);
  const path = join(configPath, name, 'hosts.toml');
  const stats = kind === 'absent' ? undefined : await lstatIfPresent(path);
  // What cannot be read is somebody else's; whoever needs it reads it again and says so.
  const text = stats === undefined ? undefined : await readHostsToml(path).catch(() => undefined);
  const isPlain = stats?.isFile() === true;
  const author = text === undefined ? 'other' : hostsAuthor(text, { exists: hasBackup, text: backupText });
  const isWritten = isPlain && author !== 'other';
  const isOurs =
    isWritten &&
    kind === 'folder' &&
    (await readdir(join(configPath, name))).every(
      (entry) => entry === 'hosts.toml' || isTemporaryName(entry),
    );
  const current = text === undefined ? undefined : { text, author: isPlain ? author : ('other' as const) };
  return { name, kind, backup, backupText, isOurs, current };
}

/** Folders, and links to folders, below a path; relative links count from where they were. */
async function readKinds(path: string, from = path): Promise<Map<string, 'folder' | 'link'>> {
  const entries = await readdir(path, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [] as Dirent[];
    throw error;
  });
  const kinds = new Map<string, 'folder' | 'link'>();
  for (const entry of entries) {
    if (isTemporaryName(entry.name)) continue;
    if (entry.isDirectory()) kinds.set(entry.name, 'folder');
    if (!entry.isSymbolicLink()) continue;
    const link = join(path, entry.name);
    const target = from === path ? link : await originalTarget(from, path, link, join(from, entry.name));
    const stats = await stat(target).catch(() => undefined);
    if (stats?.isDirectory() === true) kinds.set(entry.name, 'link');
  }
  return kinds;
}

async function readLinksToNothing(configPath: string): Promise<readonly string[]> {
  const names: string[] = [];
  for (const name of await readNames(configPath)) {
    const path = join(configPath, name);
    const isThere = await stat(path).then(
      () => true,
      () => false,
    );
    if (!isThere && (await lstatIfPresent(path))?.isSymbolicLink() === true) names.push(name);
  }
  return names;
}

/** The hosts.toml of a folder in `_backup`, through links as they were before they were kept there. */
async function backupFile(configPath: string, backupPath: string, name: string): Promise<string> {
  const kept = join(backupPath, name);
  const folder = await originalTarget(configPath, backupPath, kept, join(configPath, name));
  const original = folder === kept ? join(configPath, name) : folder;
  const file = join(folder, 'hosts.toml');
  return originalTarget(configPath, backupPath, file, join(original, 'hosts.toml'));
}

/** Where a link in `_backup` leads: into `_backup` if it stayed within the configuration, else to where it always did. */
async function originalTarget(
  configPath: string,
  backupPath: string,
  path: string,
  original: string,
): Promise<string> {
  const stats = await lstatIfPresent(path);
  if (stats?.isSymbolicLink() !== true) return path;
  const target = resolve(dirname(original), await readlink(path));
  if (!target.startsWith(`${configPath}/`)) return target;
  const kept = join(backupPath, target.slice(configPath.length));
  return (await lstatIfPresent(kept)) === undefined ? target : kept;
}

/**
 * Undefined also for an empty file: containerd takes it for absent too. Throws HostsConfigError, also for a link to nothing
 * and for what is no file, which is not opened: a FIFO would wait for a writer for ever.
 */
async function readHostsToml(path: string): Promise<string | undefined> {
  try {
    const stats = await stat(path);
    if (!stats.isFile() && !stats.isDirectory()) {
      throw new HostsConfigError(
        `Cannot read ${path}: it is ${kindOf(stats)}, not a file; move it away. Nothing was changed`,
      );
    }
    // With its byte order mark, which containerd 2.x does not take.
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    return decoder.decode(await readFile(path)) || undefined;
  } catch (error) {
    if (error instanceof TypeError) {
      throw new HostsConfigError(`Cannot read ${path}: it is no UTF-8 text`, { cause: error });
    }
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') {
      if ((await lstatIfPresent(path)) === undefined) return undefined;
      throw new HostsConfigError(
        `Cannot read ${path}: it is a link that leads to nothing that can be seen here; correct it or move it away. Nothing was changed`,
        { cause: error },
      );
    }
    throw hostsConfigFailure(`Cannot read ${path}`, error);
  }
}

function kindOf(stats: Stats): string {
  if (stats.isFIFO()) return 'a FIFO';
  return stats.isSocket() ? 'a socket' : 'a device';
}
