import { describe, expect, test } from 'bun:test';
import { createChunkBudget } from './chunk-budget.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

describe('createChunkBudget()', () => {
  test.each([
    { moves: 1, chunkBytes: MIB },
    { moves: 8, chunkBytes: MIB },
    { moves: 9, chunkBytes: 512 * KIB },
    { moves: 50, chunkBytes: 128 * KIB },
    { moves: 1000, chunkBytes: 64 * KIB },
  ])('gives $chunkBytes bytes to each of $moves moves', ({ moves, chunkBytes }) => {
    const budget = createChunkBudget({
      totalBytes: 16 * MIB,
      minChunkBytes: 64 * KIB,
      maxChunkBytes: MIB,
    });
    const shares = Array.from({ length: moves }, () => budget.take());
    expect(shares.map((share) => share.chunkBytes())).toEqual(shares.map(() => chunkBytes));
  });

  test('gives back what is released, once', () => {
    const budget = createChunkBudget({ totalBytes: 4, minChunkBytes: 1, maxChunkBytes: 4 });
    const kept = budget.take();
    const released = budget.take();
    expect(kept.chunkBytes()).toBe(1);
    released.release();
    released.release();
    expect(kept.chunkBytes()).toBe(2);
    budget.take();
    expect(kept.chunkBytes()).toBe(1);
  });
});
