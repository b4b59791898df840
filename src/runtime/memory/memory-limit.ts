import { readFile } from 'node:fs/promises';

/** A number without a limit in cgroups v1, and more than a machine has. */
const NO_LIMIT_BYTES = 2 ** 60;

/**
 * How much memory the process's cgroup may have, in bytes; undefined when there is no limit or none that can be read.
 * Limits of the cgroups around it are not looked at. See cgroups(7). `root` is another `/`, for tests.
 */
export async function readMemoryLimit(root = ''): Promise<number | undefined> {
  const read = async (path: string) => readFile(`${root}${path}`, 'utf8').catch(() => '');
  const groups = await read('/proc/self/cgroup');
  const own = /^0::(\/.*)$/m.exec(groups)?.[1] ?? '/';
  // In a container the second is the first one's, or the first is a path of the host that is not there.
  const paths = [`/sys/fs/cgroup${own}/memory.max`, '/sys/fs/cgroup/memory.max'];
  for (const path of [...paths, '/sys/fs/cgroup/memory/memory.limit_in_bytes']) {
    const text = (await read(path)).trim();
    if (text === '') continue;
    const bytes = Number(text);
    return bytes > 0 && bytes < NO_LIMIT_BYTES ? bytes : undefined;
  }
  return undefined;
}
