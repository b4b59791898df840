import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, statfsSync } from 'node:fs';
import { lstat, mkdir, mkdtemp, readdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cachedFileState, openCachedFile } from './cached-file.ts';

/** Older kernels, and filters of system calls, do not let files be opened so. This file was read a moment ago. */
const canOpen = typeof cachedFileState(import.meta.path) === 'object';

/** Longer than the kernel takes. */
const LONG = 'long/'.repeat(1000);

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cached-file-'));
  await writeFile(join(folder, 'file'), 'abcdefgh');
  await writeFile(join(folder, 'empty'), '');
  await symlink(join(folder, 'file'), join(folder, 'link'));
  await mkdir(join(folder, 'folder'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

const openDescriptors = async () => (await readdir('/proc/self/fd')).length;

describe.skipIf(!canOpen)('openCachedFile()', () => {
  test.each<[name: string, answers: unknown[]]>([
    ['file', [8]],
    ['empty', [0]],
    // Some file systems do not keep in mind what they do not have.
    ['absent', ['absent', undefined]],
    ['link', [undefined]],
    ['folder', [undefined]],
    [LONG, [undefined]],
    ['file\0', [undefined]],
  ])('gives the size of a file, and of nothing else: case %#', async (name, answers) => {
    // What the kernel has not looked for before it does not know to be absent.
    await lstat(join(folder, name.slice(0, 100).replace('\0', ''))).catch(() => {});
    const before = await openDescriptors();
    const found = cachedFileState(join(folder, name));
    expect(answers).toContain(typeof found === 'object' ? found.sizeBytes : found);
    expect(await openDescriptors()).toBe(before);
    // What one file lacks is not held against the others.
    expect(cachedFileState(join(folder, 'file'))).toMatchObject({ sizeBytes: 8 });
  });

  // A file system that has everything in memory, and does not keep in mind what it does not have.
  test.skipIf(!existsSync('/dev/shm'))(
    'knows what a tmpfs does not have, also where there is no folder for it',
    async () => {
      const shm = await mkdtemp('/dev/shm/cached-file-');
      try {
        expect(cachedFileState(join(shm, 'absent'))).toBe('absent');
        expect(cachedFileState(join(shm, 'folder/absent'))).toBe('absent');
        // Another file system may come to where the folder was awaited.
        expect(cachedFileState(join(shm, 'other/file'))).toBe('absent');
        await symlink(folder, join(shm, 'other'));
        // The kernel has not looked there for that name; a tmpfs would be looked at.
        const isTmpfs = statfsSync(folder).type === 0x0102_1994;
        expect(cachedFileState(join(shm, 'other/never-asked-for'))).toBe(isTmpfs ? 'absent' : undefined);
        await lstat(join(shm, 'other/file'));
        expect(cachedFileState(join(shm, 'other/file'))).toMatchObject({ sizeBytes: 8 });
        await mkdir(join(shm, 'folder'));
        await writeFile(join(shm, 'folder/file'), 'abc');
        expect(cachedFileState(join(shm, 'folder/file'))).toMatchObject({ sizeBytes: 3 });
        expect(cachedFileState(join(shm, 'folder/absent'))).toBe('absent');
        expect(cachedFileState(join(shm, 'folder/file/absent'))).toBeUndefined();
      } finally {
        await rm(shm, { recursive: true, force: true });
      }
    },
  );

  test('reads a part, or tells that it is not there', () => {
    using file = openCachedFile(join(folder, 'file'));
    const bytes = new Uint8Array(3);
    // Some file systems do not tell what they have in memory.
    if (file?.readInto(bytes, 0) !== true) return;
    expect(Buffer.from(bytes).toString()).toBe('abc');
    expect(file.readInto(bytes, 5)).toBe(true);
    expect(Buffer.from(bytes).toString()).toBe('fgh');
    expect(file.readInto(bytes, 6)).toBe(false);
  });

  test('an empty file has nothing to read, and one that was removed or cut off is not read beyond its end', async () => {
    using empty = openCachedFile(join(folder, 'empty'));
    expect(empty?.readInto(new Uint8Array(0), 0)).toBe(true);
    await writeFile(join(folder, 'short'), 'hello');
    using short = openCachedFile(join(folder, 'short'));
    await truncate(join(folder, 'short'), 4);
    await rm(join(folder, 'short'));
    expect(short?.readInto(new Uint8Array(5), 0)).toBe(false);
  });
});
