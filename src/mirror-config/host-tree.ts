import type { Stats } from 'node:fs';
import { lstat, readFile, readdir, readlink, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type HostFiles, isTemporaryName, temporaryPath } from './host-files.ts';
import { HostsConfigError } from './hosts-config.ts';

const MODE_BITS = 0o7777;
/** As os.OpenFile of the original makes its copies. */
const ORIGINAL_COPY_MODE = 0o644;

/** Our copies keep the time, to the ms; some file systems keep it to 2 s. */
const TIME_TOLERANCE_MS = 2000;

/** What a copy leaves out, by its path below the copied folder. */
export type Omit = (path: string) => boolean;

/** lstat, undefined if there is nothing. */
export async function lstatIfPresent(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Names in a folder, sorted, without temporary ones; none if there is no folder. */
export async function readNames(path: string): Promise<readonly string[]> {
  try {
    return (await readdir(path)).filter((name) => !isTemporaryName(name)).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** The bytes of a file, links followed; undefined for anything else, which is not opened: a FIFO would wait for a writer. */
export async function readRegularFile(path: string): Promise<Buffer | undefined> {
  try {
    return (await stat(path)).isFile() ? await readFile(path) : undefined;
  } catch {
    return undefined;
  }
}

/** Copies a file, folder or link with its mode, owner and time, through to the disk; `to` must not exist. */
export async function copyTree(from: string, to: string, files: HostFiles, omit: Omit): Promise<void> {
  const visit = async (path: string): Promise<void> => {
    const [source, copy] = [join(from, path), join(to, path)];
    const stats = await lstat(source);
    if (stats.isDirectory()) {
      // Before its files have their modes nobody else may look into it.
      await files.makeFolder(copy, 0o700);
      for (const name of await readNames(source)) {
        const child = path === '' ? name : `${path}/${name}`;
        if (!omit(child)) await visit(child);
      }
      await files.syncFolder(copy);
    } else if (stats.isSymbolicLink()) {
      await files.makeLink(copy, await readlink(source));
    } else if (stats.isFile()) {
      await files.writeNewFile(copy, await readFile(source), 0o600);
    } else {
      throw new HostsConfigError(
        `Cannot copy ${source}: it is neither a file, a folder nor a link; move it away`,
      );
    }
    await copyAttributes(stats, copy, files);
  };
  await visit('');
}

/** Owner first: changing it takes set-user-ID bits away. */
async function copyAttributes(stats: Stats, copy: string, files: HostFiles): Promise<void> {
  const made = await lstat(copy);
  if (made.uid !== stats.uid || made.gid !== stats.gid) await files.setOwner(copy, stats.uid, stats.gid);
  if (!stats.isSymbolicLink()) await files.setMode(copy, stats.mode & MODE_BITS);
  await files.setModified(copy, stats.mtime);
}

/** Copies to a temporary name in `folder` and renames: `to` is there completely or not at all. It may replace a file. */
export async function copyAtomically(
  from: string,
  to: string,
  files: HostFiles,
  { folder = dirname(to), omit = () => false }: { readonly folder?: string; readonly omit?: Omit } = {},
): Promise<void> {
  const temporary = temporaryPath(folder, to);
  try {
    await copyTree(from, temporary, files, omit);
    await files.rename(temporary, to);
  } catch (error) {
    await files.removeTree(temporary).catch(() => {});
    throw error;
  }
  await files.syncFolder(dirname(to));
}

/** True if mode, kind or owner of the two are not the same. */
export async function differsInAttributes(path: string, other: string): Promise<boolean> {
  const [left, right] = await Promise.all([lstat(path), lstat(other)]);
  return left.mode !== right.mode || left.uid !== right.uid || left.gid !== right.gid;
}

/** True if both are files with equal bytes, or links to the same. */
export async function isSameEntry(left: string, right: string): Promise<boolean> {
  const [one, other] = await Promise.all([lstat(left), lstat(right)]);
  if (one.isSymbolicLink() && other.isSymbolicLink()) {
    return (await readlink(left)) === (await readlink(right));
  }
  if (!one.isFile() || !other.isFile() || one.size !== other.size) return false;
  return (await readFile(left)).equals(await readFile(right));
}

/**
 * True if the file is what the original makes of one in `_backup`: the bytes, or the first of them where it was
 * interrupted, in a file of another time, mode or owner, or in place of a link.
 */
export async function isCopyOfOriginal(path: string, backup: string): Promise<boolean> {
  const copy = await lstat(path);
  if (!copy.isFile() || (copy.mode & MODE_BITS) !== ORIGINAL_COPY_MODE) return false;
  const kept = await lstat(backup);
  if (!kept.isFile() && !kept.isSymbolicLink()) return false;
  const all = await readRegularFile(backup);
  if (all === undefined) return false;
  const bytes = await readFile(path);
  if (bytes.length === all.length) {
    const isNewer = copy.mtimeMs - kept.mtimeMs > TIME_TOLERANCE_MS;
    return bytes.equals(all) && (isNewer || (await differsInAttributes(path, backup)));
  }
  return bytes.equals(all.subarray(0, bytes.length));
}
