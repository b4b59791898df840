import { readdir, readlink } from 'node:fs/promises';

const OWN_DESCRIPTORS = '/proc/self/fd';

/** How many descriptors of this process lead to the file at the path, also after it was deleted there. */
export async function countOpenDescriptors(path: string): Promise<number> {
  const names = await readdir(OWN_DESCRIPTORS);
  const targets = await Promise.all(
    // A descriptor may be closed between the two calls.
    names.map((name) => readlink(`${OWN_DESCRIPTORS}/${name}`).catch(() => undefined)),
  );
  return targets.filter((target) => target === path || target === `${path} (deleted)`).length;
}

/** How many descriptors this process has open. */
export async function countDescriptors(): Promise<number> {
  return (await readdir(OWN_DESCRIPTORS)).length;
}
