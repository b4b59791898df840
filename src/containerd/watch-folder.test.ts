import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../observe/log.ts';
import { until } from '../runtime/conditions.fixture.ts';
import { watchFolder } from './watch-folder.ts';

describe('watchFolder()', () => {
  let root: string;
  let path: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'spegel-watch-'));
    path = join(root, 'content', 'blobs', 'sha256');
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  function start() {
    const entries: string[] = [];
    const told = { attached: 0 };
    const watch = watchFolder({
      path,
      onEntry: (name) => void entries.push(name),
      onAttached: () => void told.attached++,
      logger: silentLogger,
    });
    return Object.assign(told, { entries, watch });
  }

  test('tells of entries that are renamed into the folder and removed from it', async () => {
    await mkdir(path, { recursive: true });
    await writeFile(join(path, 'old'), 'x');
    const told = start();
    using _watch = told.watch;
    expect(told.attached).toBe(1);
    await writeFile(join(root, 'data'), 'x');
    await rename(join(root, 'data'), join(path, 'blob'));
    await until(() => told.entries.includes('blob'));
    // Another entry than the first: two events of one name within 2 ms come as one.
    await rm(join(path, 'old'));
    await until(() => told.entries.includes('old'));
  });

  test('waits for a folder whose parents do not exist either', async () => {
    const told = start();
    using _watch = told.watch;
    expect(told.attached).toBe(0);
    await mkdir(join(root, 'content'));
    await mkdir(path, { recursive: true });
    await until(() => told.attached === 1);
    await writeFile(join(path, 'blob'), 'x');
    await until(() => told.entries.includes('blob'));
  });

  test('check() finds a folder that was replaced', async () => {
    await mkdir(path, { recursive: true });
    const told = start();
    using watch = told.watch;
    await rename(join(root, 'content'), join(root, 'old'));
    await mkdir(path, { recursive: true });
    watch.check();
    await until(() => told.attached === 2);
    await writeFile(join(path, 'blob'), 'x');
    await until(() => told.entries.includes('blob'));
  });

  test('survives the folder being deleted and made again', async () => {
    await mkdir(path, { recursive: true });
    const told = start();
    using watch = told.watch;
    for (let round = 2; round < 5; round++) {
      await rm(join(root, 'content'), { recursive: true });
      watch.check();
      await mkdir(path, { recursive: true });
      await until(() => {
        watch.check();
        return told.attached >= round;
      });
      await writeFile(join(path, `blob-${round}`), 'x');
      await until(() => told.entries.includes(`blob-${round}`));
    }
  });

  test('tells of nothing after its end', async () => {
    await mkdir(path, { recursive: true });
    const ended = start();
    ended.watch[Symbol.dispose]();
    const other = start();
    using _watch = other.watch;
    await writeFile(join(path, 'blob'), 'x');
    await until(() => other.entries.includes('blob'));
    expect(ended.entries).toEqual([]);
    ended.watch.check();
    expect(ended.attached).toBe(1);
  });
});
