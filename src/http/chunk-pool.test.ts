import { describe, expect, test } from 'bun:test';
import { type Chunk, createChunkPool } from './chunk-pool.ts';

const KIB = 1024;
const MIN = 64 * KIB;

function create(totalBytes: number) {
  const memory = { share: 1 };
  const room = { share: () => memory.share };
  const pool = createChunkPool({
    totalBytes,
    minChunkBytes: MIN,
    maxChunkBytes: 1024 * KIB,
    keepMs: 60_000,
    room,
  });
  /** What is there at once. */
  const take = (wantedBytes: number): Chunk | undefined => {
    let got: Chunk | undefined;
    const callOff = pool.take(wantedBytes, (chunk) => {
      got = chunk;
    });
    if (got === undefined) callOff();
    return got;
  };
  const takeAll = (wantedBytes: number) => {
    const chunks: Chunk[] = [];
    for (let chunk = take(wantedBytes); chunk !== undefined; chunk = take(wantedBytes)) chunks.push(chunk);
    return chunks;
  };
  return { pool, take, takeAll, memory };
}

describe('createChunkPool()', () => {
  test('a chunk is as large as wanted, rounded down to a power of two, and at least of the smallest size', () => {
    const { take } = create(64 * 1024 * KIB);
    const sizes = [1, MIN, MIN + 1, 300 * KIB, 5000 * KIB].map((wanted) => take(wanted)?.bytes.length);
    expect(sizes).toEqual([MIN, MIN, MIN, 256 * KIB, 1024 * KIB]);
  });

  test('all that is given out is never more than the total, and the more there is the smaller are the next chunks', () => {
    const totalBytes = 4 * 1024 * KIB;
    const { pool, takeAll } = create(totalBytes);
    const sizes = takeAll(1024 * KIB).map(({ bytes }) => bytes.length);
    expect(sizes[0]).toBe(1024 * KIB);
    expect(sizes.at(-1)).toBe(MIN);
    expect(sizes.toSorted((a, b) => b - a)).toEqual(sizes);
    expect(pool.usedBytes).toBe(totalBytes);
  });

  test('a chunk that was given back is used again, and freed for another size', () => {
    const { pool, take, takeAll } = create(4 * MIN);
    const first = take(MIN);
    const bytes = first?.bytes;
    first?.release();
    first?.release();
    expect(pool.usedBytes).toBe(0);
    const again = take(MIN);
    expect(again?.bytes).toBe(bytes as Uint8Array<ArrayBuffer>);
    again?.release();
    const chunks = takeAll(MIN);
    expect(chunks.length).toBe(4);
    for (const chunk of chunks) chunk.release();
    expect(pool.usedBytes).toBe(0);
  });

  test('those that wait get a chunk in their order, but not those that called it off', () => {
    const { pool, takeAll } = create(2 * MIN);
    const [first, second] = takeAll(MIN);
    const order: string[] = [];
    pool.take(MIN, () => order.push('a'));
    const callOff = pool.take(MIN, () => order.push('b'));
    pool.take(MIN, () => order.push('c'));
    callOff();
    first?.release();
    second?.release();
    expect(order).toEqual(['a', 'c']);
    expect(pool.usedBytes).toBe(2 * MIN);
  });

  test('a parked chunk is taken when it is needed, the chunk that was parked first before others', () => {
    const { takeAll, take } = create(3 * MIN);
    const [first, second, third] = takeAll(MIN);
    const taken: string[] = [];
    first?.park(() => taken.push('first'));
    second?.park(() => taken.push('second'));
    expect(take(MIN)).toBeDefined();
    expect(taken).toEqual(['first']);
    expect(first?.unpark()).toBe(false);
    expect(second?.unpark()).toBe(true);
    expect(take(MIN)).toBeUndefined();
    expect(taken).toEqual(['first']);
    first?.release();
    expect(take(MIN)).toBeUndefined();
    third?.release();
    expect(take(MIN)).toBeDefined();
  });

  test('parking a chunk serves what waits for it', () => {
    const { pool, takeAll } = create(MIN);
    const [first] = takeAll(MIN);
    let got = false;
    pool.take(MIN, () => {
      got = true;
    });
    expect(got).toBe(false);
    first?.park(() => {});
    expect(got).toBe(true);
  });

  test('what was called off because a parked chunk was taken for it gets nothing, and the next in line does', () => {
    const { pool, takeAll } = create(2 * MIN);
    const [first, second] = takeAll(MIN);
    const got: string[] = [];
    const callOff = pool.take(MIN, () => got.push('called off'));
    pool.take(MIN, (chunk) => {
      got.push('next');
      chunk.release();
    });
    first?.park(callOff);
    expect(got).toEqual(['next']);
    second?.release();
    expect(pool.usedBytes).toBe(0);
  });

  test('while memory is short less is given out, nothing is kept, and a single chunk can always be had', () => {
    const { pool, take, takeAll, memory } = create(16 * MIN);
    const all = takeAll(MIN);
    expect(all.length).toBe(16);
    memory.share = 0.25;
    for (const chunk of all) chunk.release();
    // Freed at once: their memory is no part of the heap any more.
    expect(all.filter(({ bytes }) => bytes.length > 0).length).toBe(4);
    expect(takeAll(MIN).length).toBe(4);
    expect(pool.usedBytes).toBe(4 * MIN);
    memory.share = 0.01;
    const alone = create(16 * MIN);
    alone.memory.share = 0.01;
    expect(alone.takeAll(MIN).length).toBe(1);
    memory.share = 1;
    expect(take(MIN)).toBeDefined();
  });
});
