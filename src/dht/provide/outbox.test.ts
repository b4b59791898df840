import { describe, expect, test } from 'bun:test';

import type { Delivery } from './delivery.ts';
import { createOutbox, type Outbox } from './outbox.ts';

/** A delivery that notes what it is told. */
function noteDelivery() {
  const told: string[] = [];
  const delivery: Delivery = {
    expect() {},
    taken: (key) => void told.push(`${key} taken`),
    refused: (key) => void told.push(`${key} refused`),
    settled: async () => {},
  };
  return { delivery, told };
}

const keysOf = (outbox: Outbox) => outbox.first(Infinity).map(([key]) => key);
const WHY = new Error('Connection refused');

describe('createOutbox()', () => {
  test('keeps a key once, however often it is put, and the order of keys', () => {
    const outbox = createOutbox();
    for (const key of ['a', 'b', 'a', 'c']) outbox.put(key, undefined);
    expect([outbox.size, keysOf(outbox)]).toEqual([3, ['a', 'b', 'c']]);
    expect(outbox.first(2).map(([key]) => key)).toEqual(['a', 'b']);
  });

  test('taken() tells the deliveries of the batch, and keeps what was put meanwhile', () => {
    const outbox = createOutbox();
    const [first, second] = [noteDelivery(), noteDelivery()];
    outbox.put('a', first.delivery);
    outbox.put('b', first.delivery);
    const batch = outbox.first(2);
    outbox.put('a', second.delivery);
    outbox.put('c', undefined);
    outbox.taken(batch);
    expect([first.told, second.told]).toEqual([['a taken', 'b taken'], []]);
    expect(keysOf(outbox)).toEqual(['a', 'c']);
    outbox.taken(outbox.first(2));
    expect([second.told, outbox.size]).toEqual([['a taken'], 0]);
  });

  test('refused() keeps what is still provided, and what was put meanwhile', () => {
    const outbox = createOutbox();
    const [first, second] = [noteDelivery(), noteDelivery()];
    for (const key of ['a', 'b', 'c']) outbox.put(key, first.delivery);
    const batch = outbox.first(3);
    outbox.put('b', second.delivery);
    outbox.refused(batch, WHY, (key) => key === 'a');
    expect(first.told).toEqual(['a refused', 'b refused', 'c refused']);
    expect(keysOf(outbox)).toEqual(['a', 'b']);
    outbox.taken(outbox.first(2));
    expect([first.told.length, second.told, outbox.size]).toEqual([3, ['b taken'], 0]);
  });

  test('abandon() refuses all that waits', () => {
    const outbox = createOutbox();
    const { delivery, told } = noteDelivery();
    outbox.put('a', delivery);
    outbox.put('b', delivery);
    outbox.abandon(WHY);
    expect([told, outbox.size]).toEqual([['a refused', 'b refused'], 0]);
  });
});
