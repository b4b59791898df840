import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readBasicAuth } from './basic-auth.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spegel-auth-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('readBasicAuth()', () => {
  test.each<[string, Record<string, string>, string | undefined]>([
    ['both files are there', { username: 'user', password: 'pass' }, 'user:pass'],
    ['the password has a colon and a line end', { username: 'user', password: 'a:b\n' }, 'user:a:b\n'],
    ['only the password is there', { password: 'pass' }, ':pass'],
    ['both are empty', { username: '', password: '' }, undefined],
    ['none is there', {}, undefined],
  ])('readBasicAuth() gives the header when %s', async (_what, files, pair) => {
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    const expected = pair === undefined ? undefined : `Basic ${btoa(pair)}`;
    expect(await readBasicAuth(folder)).toBe(expected as string);
  });

  test('readBasicAuth() is undefined when the folder does not exist', async () => {
    expect(await readBasicAuth(join(folder, 'absent'))).toBeUndefined();
  });

  test('readBasicAuth() throws when the user name has a colon, and when a file cannot be read', async () => {
    const failure = async () => {
      try {
        return await readBasicAuth(folder);
      } catch (error) {
        return (error as Error).message;
      }
    };
    await writeFile(join(folder, 'username'), 'a:b');
    expect(await failure()).toContain('must not contain a colon');
    await mkdir(join(folder, 'password'));
    expect(await failure()).toContain(`Cannot read ${join(folder, 'password')}`);
  });
});
