import { describe, expect, test } from 'bun:test';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { until } from '../../runtime/conditions.fixture.ts';
import { countOpenDescriptors } from '../testing/open-descriptors.ts';
import { pattern } from '../testing/pattern.ts';
import { rejectionOf } from '../testing/rejection-of.ts';
import { createScriptedGrowth } from '../testing/scripted-growth.ts';
import { type Rig } from './rig.ts';

/** What openGrowingFile() opens and refuses. */
export function testOpenGrowingFile({ file, transport }: Rig): void {
  describe('openGrowingFile()', () => {
    test.each([
      { range: { start: 0, end: 9 }, sizeBytes: 10 },
      { range: { start: 0, end: 99 }, sizeBytes: 100 },
      { range: { start: 10, end: 19 }, sizeBytes: 10 },
      { range: { start: 10, end: 9 }, sizeBytes: 0 },
    ])('opens $range of a file with 10 bytes written, and gives back all of it once', async (opened) => {
      const path = await file(pattern(12));
      const growth = createScriptedGrowth(10);
      const source = await transport().openGrowingFile(path, opened.range, growth);
      expect(source.sizeBytes).toBe(opened.sizeBytes);
      expect(await countOpenDescriptors(path)).toBe(1);
      source.close();
      source.close();
      expect(growth.subscriptions.ended).toBe(growth.subscriptions.begun);
      await until(async () => (await countOpenDescriptors(path)) === 0);
    });

    test('opens a file whose growth is over', async () => {
      const growth = createScriptedGrowth(10);
      growth.end();
      const source = await transport().openGrowingFile(
        await file(pattern(10)),
        { start: 0, end: 19 },
        growth,
      );
      expect(source.sizeBytes).toBe(20);
      source.close();
    });

    test.each([
      { range: { start: 11, end: 19 } },
      { range: { start: 11, end: 10 } },
      { range: { start: -1, end: 3 } },
      { range: { start: 5, end: 1 } },
      { range: { start: 0, end: Number.POSITIVE_INFINITY } },
    ])('rejects $range of a file with 10 bytes written, although it has more', async ({ range }) => {
      const path = await file(pattern(20));
      const growth = createScriptedGrowth(10);
      const opened = transport().openGrowingFile(path, range, growth);
      expect(await rejectionOf(opened)).toBeInstanceOf(RangeError);
      expect(growth.subscriptions.ended).toBe(growth.subscriptions.begun);
      expect(await countOpenDescriptors(path)).toBe(0);
    });

    test('rejects with ENOENT when the file is gone', async () => {
      const path = join(tmpdir(), crypto.randomUUID());
      const opened = transport().openGrowingFile(path, { start: 0, end: 0 }, createScriptedGrowth());
      expect(await rejectionOf(opened)).toMatchObject({ code: 'ENOENT' });
    });

    test('rejects a folder', async () => {
      const path = dirname(await file(pattern(1)));
      const opened = transport().openGrowingFile(path, { start: 0, end: 0 }, createScriptedGrowth());
      expect(await rejectionOf(opened)).toBeInstanceOf(TypeError);
      expect(await countOpenDescriptors(path)).toBe(0);
    });
  });
}
