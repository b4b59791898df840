import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createHostRoot, type HostRoot } from '../host-root.ts';

/** A folder that stands for the `/` of a host. */
export interface HostFolder extends AsyncDisposable {
  readonly host: HostRoot;
}

/** Makes the files, by their path on the host; a text that starts with `-> ` is a link's target. */
export async function createHostFolder(files: Readonly<Record<string, string>>): Promise<HostFolder> {
  const folder = await mkdtemp(join(tmpdir(), 'spegel-host-'));
  for (const [path, text] of Object.entries(files)) {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true });
    if (text.startsWith('-> ')) await symlink(text.slice(3), file);
    else await writeFile(file, text);
  }
  return {
    host: createHostRoot(folder),
    [Symbol.asyncDispose]: async () => rm(folder, { recursive: true, force: true }),
  };
}
