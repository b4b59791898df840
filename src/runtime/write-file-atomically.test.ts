import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeFileAtomically } from './write-file-atomically.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spegel-write-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('writeFileAtomically()', () => {
  test('writeFileAtomically() replaces a file by a new one', async () => {
    const path = join(folder, 'file');
    await writeFile(path, 'old', { mode: 0o600 });
    const before = await stat(path);
    await writeFileAtomically(path, 'new', { mode: 0o644 });
    const after = await stat(path);
    expect(await readFile(path, 'utf8')).toBe('new');
    expect(after.ino).not.toBe(before.ino);
    expect(after.mode & 0o777).toBe(0o644);
    expect(await readdir(folder)).toEqual(['file']);
  });

  test('writeFileAtomically() leaves nothing behind when the rename fails', async () => {
    const path = join(folder, 'folder');
    await mkdir(path);
    const error: unknown = await writeFileAtomically(path, 'new', { mode: 0o644 }).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect((error as NodeJS.ErrnoException).code).toBe('EISDIR');
    expect(await readdir(folder)).toEqual(['folder']);
  });
});
