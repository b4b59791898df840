import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FolderLockedError, lockFolder } from './folder-lock.ts';

let folder = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spegel-lock-'));
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

const AT_ONCE = { waitMs: 0 };

describe('lockFolder()', () => {
  test('lockFolder() waits until the lock is given back, and leaves nothing behind', async () => {
    const order: string[] = [];
    const first = await lockFolder(folder);
    const second = lockFolder(folder).then(async (lock) => {
      order.push('second');
      await lock[Symbol.asyncDispose]();
    });
    expect(await lockFolder(folder, AT_ONCE).catch((error: unknown) => error)).toBeInstanceOf(
      FolderLockedError,
    );
    order.push('first');
    await first[Symbol.asyncDispose]();
    await second;
    expect(order).toEqual(['first', 'second']);
    expect(await readdir(folder)).toEqual([]);
  });

  test('lockFolder() takes the lock of a process that was killed', async () => {
    const module = join(import.meta.dir, 'folder-lock.ts');
    // A lock that nothing refers to is given back with its handle.
    const script = `const { lockFolder } = await import(${JSON.stringify(module)}); globalThis.held = await lockFolder(${JSON.stringify(folder)}); console.log('locked'); setInterval(() => {}, 1000);`;
    const child = Bun.spawn([process.execPath, '-e', script], { stdout: 'pipe' });
    try {
      const { value } = await child.stdout.getReader().read();
      expect(new TextDecoder().decode(value)).toBe('locked\n');
      const error: unknown = await lockFolder(folder, AT_ONCE).catch((error: unknown) => error);
      expect((error as Error).message).toContain(folder);
    } finally {
      child.kill('SIGKILL');
      await child.exited;
    }
    await (await lockFolder(folder, AT_ONCE))[Symbol.asyncDispose]();
  });

  test('lockFolder() has nothing to lock where there is no folder', async () => {
    for (const path of [join(folder, 'absent'), import.meta.path, join(import.meta.path, 'below')]) {
      await (await lockFolder(path))[Symbol.asyncDispose]();
      await (await lockFolder(path, AT_ONCE))[Symbol.asyncDispose]();
    }
  });
});
