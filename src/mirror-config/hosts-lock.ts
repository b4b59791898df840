import { lockFolder } from '../runtime/folder-lock.ts';
import { systemHostFiles } from './host-files.ts';
import { lstatIfPresent } from './host-tree.ts';
import { makeFolders } from './write-hosts.ts';

/** The configuration, which no other run reads or changes until disposal. */
export interface LockedHosts extends AsyncDisposable {
  /** True: the folder was not there, and has been made to be locked. */
  readonly made: boolean;
}

/**
 * Waits for other runs: what one of them writes between the reading and the writing of another one would count as somebody
 * else's, and get into `_backup`. Throws FolderLockedError.
 */
export async function lockHosts(
  configPath: string,
  { make }: { readonly make: boolean },
): Promise<LockedHosts> {
  const made = make && (await makeIfAbsent(configPath));
  const lock = await lockFolder(configPath);
  return { made, [Symbol.asyncDispose]: async () => lock[Symbol.asyncDispose]() };
}

async function makeIfAbsent(configPath: string): Promise<boolean> {
  for (;;) {
    try {
      if ((await lstatIfPresent(configPath)) !== undefined) return false;
      await makeFolders(configPath, systemHostFiles);
      return true;
    } catch (error) {
      // If not because another run has just made a part of it, the run itself says why.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return false;
    }
  }
}
