import { describe, expect, test } from 'bun:test';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pattern } from '../testing/pattern.ts';
import { rejectionOf } from '../testing/rejection-of.ts';
import { type Rig } from './rig.ts';

/** What openFile() opens and refuses. */
export function testOpenFile({ file, transport }: Rig): void {
  describe('openFile()', () => {
    test.each([
      { range: { start: 0, end: 9 }, sizeBytes: 10 },
      { range: { start: 3, end: 3 }, sizeBytes: 1 },
      { range: { start: 3, end: 2 }, sizeBytes: 0 },
    ])('opens $range', async ({ range, sizeBytes }) => {
      const source = await transport().openFile(await file(pattern(10)), range);
      expect(source.sizeBytes).toBe(sizeBytes);
      source.close();
      source.close();
    });

    test.each([
      { range: { start: 0, end: 10 } },
      { range: { start: 10, end: 10 } },
      { range: { start: -1, end: 3 } },
      { range: { start: 5, end: 1 } },
    ])('rejects $range of a file of 10 bytes', async ({ range }) => {
      const path = await file(pattern(10));
      const opened = transport().openFile(path, range);
      expect(await rejectionOf(opened)).toBeInstanceOf(RangeError);
    });

    test('rejects with ENOENT when the file is gone', async () => {
      const opened = transport().openFile(join(tmpdir(), crypto.randomUUID()), { start: 0, end: 0 });
      expect(await rejectionOf(opened)).toMatchObject({ code: 'ENOENT' });
    });
  });
}
