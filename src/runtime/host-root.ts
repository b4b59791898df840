import { lstat, open, readdir, readlink, stat } from 'node:fs/promises';
import { join, normalize } from 'node:path';

/** The file system of a host, seen from the host or from a pod that has mounted it somewhere. Paths are the host's. */
export interface HostRoot {
  /** The folder that is the host's `/`. */
  readonly folder: string;
  /** Where the path is for this process, all links followed as the host follows them; it may not exist. */
  locate(path: string): Promise<string>;
  /**
   * The text of a file with its byte order mark, undefined if there is none. Rejects for what cannot be read, and for what
   * is not a regular file: to open a FIFO would wait for a writer.
   */
  readText(path: string): Promise<string | undefined>;
  /** Names in a folder, sorted; undefined if there is none. Rejects for what cannot be read. */
  readNames(path: string): Promise<readonly string[] | undefined>;
  /** What is at the path, links followed. */
  kind(path: string): Promise<'file' | 'folder' | 'other' | 'absent'>;
  /** When the content of a file was changed last, in seconds since the epoch; undefined if there is none. */
  modifiedAtSeconds(path: string): Promise<number | undefined>;
}

/** As the kernel has it (path_resolution(7)). */
const MAX_LINKS = 40;
/** A configuration has a few KiB; anything else is a mistake that must not fill the memory. */
const MAX_TEXT_BYTES = 4 * 1024 * 1024;

/** The host whose `/` is the folder. A link with an absolute target leads to below that folder, as it does on the host. */
export function createHostRoot(folder: string): HostRoot {
  const root = normalize(`${folder}/`).replace(/\/+$/, '');

  async function locate(path: string): Promise<string> {
    let done = '';
    const todo = parts(path);
    let links = 0;
    while (todo.length > 0) {
      const part = todo.shift() ?? '';
      if (part === '..') {
        done = done.slice(0, Math.max(0, done.lastIndexOf('/')));
        continue;
      }
      const next = `${done}/${part}`;
      const target = await linkTarget(`${root}${next}`);
      if (target === undefined) {
        done = next;
        continue;
      }
      links += 1;
      if (links > MAX_LINKS) throw new Error(`Too many links on the way to ${path}`);
      if (target.startsWith('/')) done = '';
      todo.unshift(...parts(target));
    }
    return `${root}${done}` || '/';
  }

  return {
    folder: root || '/',
    locate,
    async readText(path) {
      return unlessAbsent(async () => {
        const place = await locate(path);
        if (!(await stat(place)).isFile()) throw new Error(`${path} is not a regular file`);
        await using file = await open(place, 'r');
        const { size } = await file.stat();
        if (size > MAX_TEXT_BYTES) throw new Error(`${path} has ${size} bytes, more than any configuration`);
        return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await file.readFile());
      });
    },
    async readNames(path) {
      return unlessAbsent(async () => (await readdir(await locate(path))).sort());
    },
    async kind(path) {
      const stats = await unlessAbsent(async () => lstat(await locate(path)));
      if (stats === undefined) return 'absent';
      if (stats.isDirectory()) return 'folder';
      return stats.isFile() ? 'file' : 'other';
    },
    async modifiedAtSeconds(path) {
      const stats = await unlessAbsent(async () => stat(await locate(path)));
      return stats === undefined ? undefined : stats.mtimeMs / 1000;
    },
  };
}

function parts(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch {
    // No link, or nothing there: whoever opens it says what is wrong.
    return undefined;
  }
}

async function unlessAbsent<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** The path below a folder of the host, for messages and further look-ups. */
export function hostPath(...path: readonly string[]): string {
  return join('/', ...path);
}
