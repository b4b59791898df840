import { expect, test } from 'bun:test';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createChunkPool } from './chunk-pool.ts';
import { createFileFiller } from './file-filler.ts';
import { pattern } from './testing/pattern.ts';
import { createScriptedGrowth } from './testing/scripted-growth.ts';

const MIN = 64 * 1024;

test('createFileFiller() closes the descriptor once, and not while a read on it is under way', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'file-filler-'));
  try {
    const path = join(dir, 'growing');
    await writeFile(path, pattern(100));
    const file = await open(path, 'r');
    let readsUnderWay = 0;
    /** How many reads were under way at each close. */
    const closes: number[] = [];
    const [read, close] = [file.read.bind(file), file.close.bind(file)];
    const watched = Object.assign(file, {
      read: async (bytes: Uint8Array, offset: number, length: number, position: number) => {
        readsUnderWay += 1;
        try {
          return await read(bytes, offset, length, position);
        } finally {
          readsUnderWay -= 1;
        }
      },
      close: () => {
        closes.push(readsUnderWay);
        return close();
      },
    });
    const pool = createChunkPool({ totalBytes: MIN, minChunkBytes: MIN, maxChunkBytes: MIN, keepMs: 60_000 });
    const growth = createScriptedGrowth(100);
    const filler = createFileFiller(watched, {
      start: 0,
      sizeBytes: 200,
      growth,
      onShort: () => ({ reason: 'ended-early' }),
      pool,
    });
    const pending = filler.fillFrom(0, MIN);
    expect(readsUnderWay).toBe(1);
    pending.callOff();
    filler.close();
    filler.close();
    expect(closes).toEqual([]);
    expect(await pending.fill).toMatchObject({ offset: 0, length: 100 });
    expect(closes).toEqual([0]);
    expect(growth.subscriptions).toEqual({ begun: 1, ended: 1 });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
