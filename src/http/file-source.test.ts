import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../runtime/conditions.fixture.ts';
import type { BufferedSource, SourceRead } from './buffered-source.ts';
import { type Chunk, createChunkPool } from './chunk-pool.ts';
import { openGrowingFileSource } from './file-source.ts';
import { countOpenDescriptors } from './testing/open-descriptors.ts';
import { pattern } from './testing/pattern.ts';
import { createScriptedGrowth } from './testing/scripted-growth.ts';

const KIB = 1024;
const MIN = 64 * KIB;
const BYTES = pattern(500 * KIB);

let dir = '';
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'file-source-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** A source of all the bytes, of which so many are said to be written. */
async function open(writtenBytes: number, totalBytes = 1024 * KIB) {
  const pool = createChunkPool({
    totalBytes,
    minChunkBytes: MIN,
    maxChunkBytes: 128 * KIB,
    keepMs: 60_000,
  });
  const path = join(dir, 'growing');
  await writeFile(path, BYTES);
  const growth = createScriptedGrowth(writtenBytes);
  const source = await openGrowingFileSource(
    { path, range: { start: 0, end: BYTES.length - 1 }, growth },
    pool,
  );
  return { pool, path, growth, source };
}

/** All that can be had of the pool now. */
function takeAll(pool: ReturnType<typeof createChunkPool>): Chunk[] {
  const chunks: Chunk[] = [];
  const takeNext = () => {
    const before = chunks.length;
    const callOff = pool.take(MIN, (chunk) => chunks.push(chunk));
    callOff();
    return chunks.length > before;
  };
  while (takeNext());
  return chunks;
}

const nextRead = (source: BufferedSource) => new Promise<SourceRead>((resolve) => source.read(resolve));
/** A copy of the next bytes. */
const nextBytes = async (source: BufferedSource): Promise<Buffer> => {
  const read = await nextRead(source);
  if (!('chunk' in read)) throw new Error(`The source broke: ${read.reason}`);
  return Buffer.from(read.chunk);
};

describe('openGrowingFileSource()', () => {
  test('holds no chunk while it waits for growth, and reads no more than is written', async () => {
    const { pool, growth, source } = await open(100);
    expect(await nextBytes(source)).toEqual(BYTES.subarray(0, 100));
    const next = nextBytes(source);
    expect(pool.usedBytes).toBe(0);
    growth.growTo(250);
    expect(await next).toEqual(BYTES.subarray(100, 250));
    source.close();
    expect(pool.usedBytes).toBe(0);
  });

  test('reads what was written until it got a chunk', async () => {
    const { pool, growth, source } = await open(100, MIN);
    const [taken] = takeAll(pool);
    const next = nextBytes(source);
    growth.growTo(250);
    growth.end();
    taken?.release();
    expect(await next).toEqual(BYTES.subarray(0, 250));
    expect(await nextRead(source)).toEqual({ reason: 'ended-early' });
    source.close();
  });

  test('forgets that it waits for growth ahead when others take what its reader left', async () => {
    const writtenBytes = 192 * KIB;
    const { pool, growth, source } = await open(writtenBytes);
    expect((await nextBytes(source)).length).toBe(MIN);
    // From here on it reads ahead, and finds nothing there.
    expect((await nextBytes(source)).length).toBe(writtenBytes - MIN);
    source.unread(1000);
    const others = takeAll(pool);
    expect(pool.usedBytes).toBe(1024 * KIB);
    for (const chunk of others) chunk.release();
    expect(pool.usedBytes).toBe(0);
    growth.growTo(BYTES.length);
    expect(pool.usedBytes).toBe(0);
    const rest: Buffer[] = [];
    const from = writtenBytes - 1000;
    for (let at = from; at < BYTES.length; at = from + Buffer.concat(rest).length) {
      rest.push(await nextBytes(source));
    }
    expect(Buffer.concat(rest).equals(BYTES.subarray(from))).toBe(true);
    source.close();
    expect(pool.usedBytes).toBe(0);
  });

  test.each([
    { what: 'a read is under way', writtenBytes: 100, isPoolEmpty: false },
    { what: 'it waits for growth', writtenBytes: 0, isPoolEmpty: false },
    { what: 'it waits for a chunk', writtenBytes: 100, isPoolEmpty: true },
  ])('gives all back when it is closed while $what, and answers no more', async (when) => {
    const { pool, path, growth, source } = await open(when.writtenBytes);
    const others = when.isPoolEmpty ? takeAll(pool) : [];
    let isAnswered = false;
    source.read(() => {
      isAnswered = true;
    });
    source.close();
    source.close();
    expect(growth.subscriptions).toEqual({ begun: 1, ended: 1 });
    growth.growTo(BYTES.length);
    growth.end();
    for (const chunk of others) chunk.release();
    await until(async () => (await countOpenDescriptors(path)) === 0);
    await until(() => pool.usedBytes === 0);
    expect(isAnswered).toBe(false);
  });
});
