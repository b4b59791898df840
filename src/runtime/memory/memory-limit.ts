import { readFile } from 'node:fs/promises';
import { parseControlGroups, V1_MOUNT, V2_MOUNT } from './control-groups.ts';

/** A number without a limit in cgroups v1, and more than a machine has. */
const NO_LIMIT_BYTES = 2 ** 60;

/**
 * How much memory the process may have, in bytes: the least of the limits of its control group and of the groups around
 * it, as far as they can be seen; undefined when there is no limit or none that can be read. See cgroups(7). `root` is
 * another `/`, for tests.
 */
export async function readMemoryLimit(root = ''): Promise<number | undefined> {
  const read = async (path: string) => (await readFile(`${root}${path}`, 'utf8').catch(() => '')).trim();
  const { v1, v2 } = parseControlGroups(await read('/proc/self/cgroup'));
  const limits: number[] = [];
  const note = (text: string) => {
    const bytes = Number(text);
    if (text !== '' && bytes > 0 && bytes < NO_LIMIT_BYTES) limits.push(bytes);
  };
  // In a container the path may be one of the host that is not there: the mount itself is then the own group.
  for (const path of withAncestors(v2)) {
    note(await read(`${V2_MOUNT}${path}/memory.max`));
  }
  for (const path of withAncestors(v1)) {
    note(await read(`${V1_MOUNT}${path}/memory.limit_in_bytes`));
  }
  return limits.length === 0 ? undefined : Math.min(...limits);
}

/** `/a/b` gives `/a/b`, `/a` and the empty path of the mount itself. */
function withAncestors(path = '/'): readonly string[] {
  const parts = path.split('/').filter((part) => part !== '');
  return Array.from({ length: parts.length + 1 }, (_, count) =>
    parts
      .slice(0, parts.length - count)
      .map((part) => `/${part}`)
      .join(''),
  );
}
