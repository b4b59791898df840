import { describe, expect, test } from 'bun:test';
import { createReceiveBudget } from './receive-budget.ts';

const KIB = 1024;
const OPTIONS = { totalBytes: 3072 * KIB, minBytes: 64 * KIB, maxBytes: 512 * KIB };

function start(count: number) {
  const budget = createReceiveBudget(OPTIONS);
  const shares = Array.from({ length: count }, () => budget.take());
  const sizes = () => shares.map(({ bytes }) => bytes / KIB);
  return { budget, shares, sizes };
}

describe('createReceiveBudget()', () => {
  test.each([
    [1, 512],
    [6, 512],
    [7, 256],
    [16, 128],
    [33, 64],
    [400, 64],
  ])('gives %d bodies that grow %d KiB each', (count, each) => {
    const { shares, sizes } = start(count);
    expect(sizes()).toEqual(Array.from({ length: count }, () => 64));
    for (const share of shares) share.grow();
    expect(sizes()).toEqual(Array.from({ length: count }, () => each));
  });

  test('gives bodies that grow one after the other no more than all of it, but for the smallest shares', () => {
    const budget = createReceiveBudget(OPTIONS);
    const sizes: number[] = [];
    for (let i = 0; i < 100; i++) {
      const share = budget.take();
      share.grow();
      share.grow();
      sizes.push(share.bytes / KIB);
    }
    expect(sizes.slice(0, 8)).toEqual([512, 512, 512, 512, 512, 512, 64, 64]);
    const grown = sizes.filter((size) => size > 64).reduce((sum, size) => sum + size, 0);
    expect(grown).toBeLessThanOrEqual(3072);
    expect(sizes.at(-1)).toBe(64);
  });

  test('gives to others what is released, once', () => {
    const { budget, shares } = start(6);
    for (const share of shares) share.grow();
    const late = budget.take();
    late.grow();
    expect(late.bytes).toBe(64 * KIB);
    shares[0]?.release();
    shares[0]?.release();
    shares[0]?.grow();
    late.grow();
    expect(late.bytes).toBe(512 * KIB);
  });

  test('never takes back', () => {
    const { budget, shares } = start(1);
    shares[0]?.grow();
    for (let i = 0; i < 50; i++) budget.take();
    shares[0]?.grow();
    expect(shares[0]?.bytes).toBe(512 * KIB);
  });
});
