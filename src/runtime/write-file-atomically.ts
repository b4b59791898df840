import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Options of writeFileAtomically. */
export interface AtomicWriteOptions {
  /** Permissions of the file, whatever the umask is. */
  readonly mode: number;
}

/**
 * Replaces a file so that a reader, also one after a power cut, sees the old content or the new, never a part.
 * The folder must exist. A failure leaves the old file, and throws the file system's error.
 */
export async function writeFileAtomically(
  path: string,
  content: string | Uint8Array,
  { mode }: AtomicWriteOptions,
): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    {
      await using file = await open(temporary, 'wx', mode);
      await file.chmod(mode);
      await file.writeFile(content);
      await file.sync();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
  await syncFolder(folder);
}

/** Makes created, renamed and removed names in a folder survive a power cut. */
export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync();
}
