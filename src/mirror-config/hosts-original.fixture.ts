import { cp, mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What the stand-in for the original is told. */
export interface OriginalOptions {
  readonly registries: readonly string[];
  readonly target: string;
  /** Copies the other files of a folder that has a hosts.toml, and puts this text after its own. */
  readonly existing?: string;
  /** Stops after so many moves into `_backup`, as if it had been killed. */
  readonly moves?: number;
}

/** Does to the configuration what Spegel v0.7.4's `configuration` does (COMPAT: move into _backup once, clear, write). */
export async function originalConfiguration(
  configPath: string,
  { registries, target, existing, moves = Infinity }: OriginalOptions,
): Promise<void> {
  const backupPath = join(configPath, '_backup');
  if (!(await isThere(backupPath))) {
    const names = await readdir(configPath);
    await mkdir(backupPath);
    for (const name of names.slice(0, moves)) await rename(join(configPath, name), join(backupPath, name));
    if (moves < names.length) return;
  }
  await clear(configPath);
  for (const registry of registries) {
    const folder = join(configPath, registry);
    await mkdir(folder, { recursive: true });
    if (existing !== undefined) {
      await cp(join(backupPath, registry), folder, { recursive: true, dereference: true });
      for (const name of await readdir(folder)) {
        const content = await readFile(join(folder, name));
        await rm(join(folder, name));
        await writeFile(join(folder, name), content);
      }
    }
    const server = registry === '_default' ? '' : `server = 'https://${registry}'\n\n`;
    const host = `[host.'${target}']\ncapabilities = ['pull', 'resolve']\ndial_timeout = '200ms'`;
    const rest = existing === undefined ? '' : `\n\n${existing}`;
    await writeFile(join(folder, 'hosts.toml'), `${server}${host}${rest}`);
  }
}

/** Does what its `cleanup` does: clear, and move `_backup` back. */
export async function originalCleanup(configPath: string): Promise<void> {
  const backupPath = join(configPath, '_backup');
  if (!(await isThere(backupPath))) return;
  await clear(configPath);
  for (const name of await readdir(backupPath)) await rename(join(backupPath, name), join(configPath, name));
  await rm(backupPath, { recursive: true });
}

async function clear(configPath: string): Promise<void> {
  for (const name of await readdir(configPath)) {
    if (name !== '_backup') await rm(join(configPath, name), { recursive: true });
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
