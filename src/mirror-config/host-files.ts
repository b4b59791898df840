import { randomBytes } from 'node:crypto';
import {
  chmod,
  lchown,
  link,
  lutimes,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  symlink,
  unlink,
} from 'node:fs/promises';
import { basename, join } from 'node:path';
import { syncFolder } from '../runtime/write-file-atomically.ts';

/** Every way in which the registry configuration is changed; a test makes each of them fail in turn. */
export interface HostFiles {
  /** Makes one folder, whatever the umask is. */
  makeFolder(path: string, mode: number): Promise<void>;
  /** Writes a file that must not exist yet, whatever the umask is, through to the disk. */
  writeNewFile(path: string, content: Uint8Array, mode: number): Promise<void>;
  makeLink(path: string, target: string): Promise<void>;
  /** Gives a file a second name. */
  linkFile(path: string, newPath: string): Promise<void>;
  setOwner(path: string, uid: number, gid: number): Promise<void>;
  setMode(path: string, mode: number): Promise<void>;
  setModified(path: string, time: Date): Promise<void>;
  rename(path: string, newPath: string): Promise<void>;
  removeFile(path: string): Promise<void>;
  removeTree(path: string): Promise<void>;
  syncFolder(path: string): Promise<void>;
}

/** The file system. */
export const systemHostFiles: HostFiles = {
  async makeFolder(path, mode) {
    await mkdir(path);
    await chmod(path, mode);
  },
  async writeNewFile(path, content, mode) {
    await using file = await open(path, 'wx', mode);
    await file.chmod(mode);
    await file.writeFile(content);
    await file.sync();
  },
  makeLink: (path, target) => symlink(target, path),
  linkFile: link,
  setOwner: lchown,
  setMode: chmod,
  setModified: (path, time) => lutimes(path, time, time),
  rename,
  removeFile: unlink,
  removeTree: (path) => rm(path, { recursive: true, force: true }),
  syncFolder,
};

/** Bytes of a random name: two runs do not meet. */
const RANDOM_BYTES = 6;
const TEMPORARY = /^\..+\.[0-9a-f]{12}\.tmp$/;

/** A name in the folder for what will become `path` once it is complete; containerd takes it for no registry. */
export function temporaryPath(folder: string, path: string): string {
  return join(folder, `.${basename(path)}.${randomBytes(RANDOM_BYTES).toString('hex')}.tmp`);
}

/** True for a name of temporaryPath(): if a run was killed it stands for nothing. */
export function isTemporaryName(name: string): boolean {
  return TEMPORARY.test(name);
}

/** Removes what runs that were killed have left in the configuration and in its folders. */
export async function removeTemporaries(configPath: string, files: HostFiles): Promise<void> {
  const entries = await readdir(configPath, { withFileTypes: true });
  for (const entry of entries) {
    const path = join(configPath, entry.name);
    if (isTemporaryName(entry.name)) await files.removeTree(path);
    else if (entry.isDirectory()) {
      const names = (await readdir(path)).filter((name) => isTemporaryName(name));
      for (const name of names) await files.removeTree(join(path, name));
    }
  }
}
