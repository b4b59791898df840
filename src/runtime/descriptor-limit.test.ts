import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readDescriptorLimit } from './descriptor-limit.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'descriptor-limit-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

describe('readDescriptorLimit()', () => {
  test.each([
    [
      'Limit      Soft Limit  Hard Limit  Units\nMax open files            1024                 524288               files\n',
      1024,
    ],
    ['Max open files            unlimited            unlimited            files\n', Infinity],
    ['', Infinity],
  ])('readDescriptorLimit() of %p', async (text, limit) => {
    const path = join(folder, 'limits');
    await writeFile(path, text);
    expect(readDescriptorLimit(path)).toBe(limit);
  });

  test('readDescriptorLimit() is Infinity where there is no such file, and a number here', () => {
    expect(readDescriptorLimit(join(folder, 'none'))).toBe(Infinity);
    expect(readDescriptorLimit()).toBeGreaterThan(0);
  });
});
