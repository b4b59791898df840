import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { createMemoryRoom, memoryReader } from './memory-room.ts';

const MIB = 1024 * 1024;
const LIMIT = 100 * MIB;

describe('createMemoryRoom()', () => {
  test('hands out all until most of the limit is used, then less and less, and never nothing', () => {
    let [nowMs, usedMib]: [number, number | undefined] = [0, 10];
    const room = createMemoryRoom({ nowMs: () => nowMs, readUse: () => usedMib && usedMib * MIB }, LIMIT);
    const shares = [10, 72, 76, 80, 84, 88, 99, 200, undefined].map((mib) => {
      nowMs += 100;
      usedMib = mib;
      return Math.round(100 * room.share());
    });
    expect(shares).toEqual([100, 88, 64, 40, 16, 10, 10, 10, 100]);
  });

  test('looks ten times a second at most, and only when it is asked', () => {
    let [nowMs, looks] = [0, 0];
    const readUse = () => {
      looks++;
      return 99 * MIB;
    };
    const room = createMemoryRoom({ nowMs: () => nowMs, readUse }, LIMIT);
    expect(looks).toBe(0);
    for (; nowMs < 1000; nowMs += 5) expect(room.share()).toBe(0.1);
    expect(looks).toBe(10);
  });
});

describe('memoryReader()', () => {
  let root = '';
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'memory-room-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const STATUS = 'Name:\tspegel\nVmRSS:\t  100000 kB\nRssAnon:\t   51200 kB\nRssFile:\t   48800 kB\n';
  const TCP = 'memory.kmem.tcp.usage_in_bytes';
  test.each([
    {
      name: 'a unit',
      files: {
        '/proc/self/cgroup': '0::/system.slice/spegel.service\n',
        '/sys/fs/cgroup/system.slice/spegel.service/memory.current': '1\n',
        '/sys/fs/cgroup/system.slice/spegel.service/memory.stat': `anon ${50 * MIB}\nfile 2\nkernel ${MIB}\nsock ${2 * MIB}\nshmem 0\nanon_thp 7\n`,
        '/sys/fs/cgroup/memory.stat': `sock ${99 * MIB}\n`,
      },
      mib: 53,
    },
    {
      name: 'a container that sees the path of the host',
      files: {
        '/proc/self/cgroup': '0::/kubepods/pod1/a\n',
        '/sys/fs/cgroup/memory.current': '1\n',
        '/sys/fs/cgroup/memory.stat': `anon ${45 * MIB}\nsock ${4 * MIB}\nshmem ${5 * MIB}\n`,
      },
      mib: 54,
    },
    {
      name: 'cgroups v1',
      files: {
        '/proc/self/cgroup': '5:cpu,cpuacct:/\n4:hugetlb,memory:/kubepods/pod1\n0::/\n',
        [`/sys/fs/cgroup/memory/kubepods/pod1/${TCP}`]: `${5 * MIB}\n`,
        [`/sys/fs/cgroup/memory/${TCP}`]: `${99 * MIB}\n`,
      },
      mib: 55,
    },
    { name: 'a group that cannot be seen', files: { '/proc/self/cgroup': '0::/a\n' }, mib: 62 },
    {
      name: 'the group of the whole machine',
      files: { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/memory.stat': `sock ${99 * MIB}\n` },
      mib: 62,
    },
  ])('counts its own memory and that of its sockets in $name', ({ files, mib }) => {
    for (const [path, text] of Object.entries({ '/proc/self/status': STATUS, ...files })) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    expect(memoryReader(LIMIT, root)()).toBe(mib * MIB);
  });

  test('tells nothing where there is no /proc', () => {
    expect(memoryReader(LIMIT, root)()).toBeUndefined();
  });

  test('reads what this machine says', () => {
    const bytes = memoryReader(LIMIT)() ?? 0;
    expect(bytes).toBeGreaterThan(MIB);
    expect(bytes).toBeLessThan(64 * 1024 * MIB);
  });
});
