import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { readMemoryLimit } from './memory-limit.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'memory-limit-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const MIB = 1024 * 1024;
const UNIT = '0::/system.slice/spegel.service\n';
const UNIT_LIMIT = '/sys/fs/cgroup/system.slice/spegel.service/memory.max';
const CONTAINER_LIMIT = '/sys/fs/cgroup/memory.max';
const OLD_LIMIT = '/sys/fs/cgroup/memory/memory.limit_in_bytes';

describe('readMemoryLimit()', () => {
  test.each([
    { name: 'of a unit', files: { '/proc/self/cgroup': UNIT, [UNIT_LIMIT]: `${256 * MIB}\n` }, limit: 256 },
    {
      name: 'of a container',
      files: { '/proc/self/cgroup': '0::/\n', [CONTAINER_LIMIT]: '134217728\n' },
      limit: 128,
    },
    {
      name: 'of a container that sees the path of the host',
      files: { '/proc/self/cgroup': UNIT, [CONTAINER_LIMIT]: '134217728\n' },
      limit: 128,
    },
    {
      name: 'of the slice around a unit, which is less',
      files: {
        '/proc/self/cgroup': UNIT,
        [UNIT_LIMIT]: `${256 * MIB}\n`,
        '/sys/fs/cgroup/system.slice/memory.max': `${128 * MIB}\n`,
        [CONTAINER_LIMIT]: 'max\n',
      },
      limit: 128,
    },
    {
      name: 'of the slice around a unit without a limit',
      files: {
        '/proc/self/cgroup': UNIT,
        [UNIT_LIMIT]: 'max\n',
        '/sys/fs/cgroup/system.slice/memory.max': `${128 * MIB}\n`,
      },
      limit: 128,
    },
    {
      name: 'of a container in cgroups v1, which sees the path of the host',
      files: { '/proc/self/cgroup': '4:memory:/a\n0::/a\n', [OLD_LIMIT]: '134217728\n' },
      limit: 128,
    },
    {
      name: 'of cgroups v1, and of a group around it',
      files: {
        '/proc/self/cgroup': '5:cpu,cpuacct:/\n4:hugetlb,memory:/kubepods/pod1\n',
        '/sys/fs/cgroup/memory/kubepods/pod1/memory.limit_in_bytes': '9223372036854771712\n',
        '/sys/fs/cgroup/memory/kubepods/memory.limit_in_bytes': '134217728\n',
        [OLD_LIMIT]: '9223372036854771712\n',
      },
      limit: 128,
    },
    {
      name: 'none of a unit',
      files: { '/proc/self/cgroup': UNIT, [UNIT_LIMIT]: 'max\n' },
      limit: undefined,
    },
    { name: 'none in v1', files: { [OLD_LIMIT]: '9223372036854771712\n' }, limit: undefined },
    { name: 'nonsense', files: { [CONTAINER_LIMIT]: '-5\n' }, limit: undefined },
    { name: 'no cgroups', files: {}, limit: undefined },
  ])('$name', async ({ files, limit }) => {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    expect(await readMemoryLimit(root)).toBe(limit === undefined ? undefined : limit * MIB);
  });
});
