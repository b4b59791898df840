import { describe, expect, test } from 'bun:test';
import { lstatSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './conditions.fixture.ts';
import { fileStamp, fileState } from './file-stamp.ts';

describe('fileStamp()', () => {
  const base = { ino: 12_345_678, size: 1_000_000, ctimeMs: 1_790_000_000_000.125 };

  test('is the same for the same state', () => {
    expect(fileStamp({ ...base })).toBe(fileStamp(base));
    expect(Number.isSafeInteger(fileStamp(base))).toBeTrue();
  });

  test.each([
    ['inode', { ino: 12_345_679 }],
    ['an inode that differs above 32 bits', { ino: 12_345_678 + 2 ** 32 }],
    ['size', { size: 1_000_001 }],
    ['a size that differs above 32 bits', { size: 1_000_000 + 2 ** 33 }],
    ['ctime by a microsecond', { ctimeMs: 1_790_000_000_000.126 }],
    ['ctime by a day', { ctimeMs: 1_790_086_400_000.125 }],
  ])('is another for another %s', (_what, change) => {
    expect(fileStamp({ ...base, ...change })).not.toBe(fileStamp(base));
  });

  test('does not repeat among neighbours', () => {
    const stamps = new Set<number>();
    for (let ino = 0; ino < 100; ino++) {
      for (let step = 0; step < 100; step++) {
        stamps.add(fileStamp({ ...base, ino, ctimeMs: base.ctimeMs + step * 4 }));
      }
    }
    expect(stamps.size).toBe(10_000);
  });
});

describe('fileState()', () => {
  test('tells bytes that were changed in place, with the times put back', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'stamp-'));
    const path = join(folder, 'blob');
    const look = () => fileState(lstatSync(path));
    try {
      writeFileSync(path, 'bytes');
      const { atime, mtime } = lstatSync(path);
      const before = look();
      expect(before?.sizeBytes).toBe(5);
      expect(look()).toEqual(before);
      // The file system's clock has steps.
      await until(() => {
        writeFileSync(path, 'bytEs');
        utimesSync(path, atime, mtime);
        return look()?.stamp !== before?.stamp;
      });
      const changed = look();
      writeFileSync(`${path}2`, 'bytes');
      renameSync(`${path}2`, path);
      expect(look()?.stamp).not.toBe(changed?.stamp);
      expect(fileState(lstatSync(folder))).toBeUndefined();
      expect(fileState(undefined)).toBeUndefined();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
