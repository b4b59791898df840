import { describe, expect, test } from 'bun:test';

import { contentMultihash, keyspacePosition } from '../wire/content-key.ts';
import { isCloserTo } from '../wire/keyspace-distance.ts';
import { createPeerTable } from './peer-table.ts';

const SELF = Uint8Array.of(0);
const id = (number: number) => Uint8Array.of(1, number >> 8, number & 255);

describe('createPeerTable()', () => {
  test.each([1, 3, 299])('closest() agrees with sorting all when each %p. has left', (step) => {
    const table = createPeerTable(SELF);
    for (let number = 0; number < 300; number++) table.put(id(number), {});
    for (let number = 0; number < 300; number += step) table.remove(id(number).toHex());
    for (let number = 0; number < 300; number += 2 * step) table.put(id(number), {});
    for (const key of ['a', 'b', 'c', 'd', 'e']) {
      const position = keyspacePosition(contentMultihash(key));
      const sorted = [...table.all()].sort((a, b) => (isCloserTo(position, a.position, b.position) ? -1 : 1));
      for (const count of [1, 3, 20, 299, 300, 500]) {
        expect(table.closest(position, count)).toEqual(sorted.slice(0, count));
      }
      for (const count of [0, 1, 3, 20, 500]) {
        const among = sorted.filter(({ name }) => table.isAmongClosest(name, position, count));
        expect(among).toEqual(sorted.slice(0, count));
      }
      expect(table.isAmongClosest(id(500).toHex(), position, 500)).toBe(false);
      const isOdd = ({ id: bytes }: { id: Uint8Array }) => (bytes[2] ?? 0) % 2 === 1;
      expect(table.closest(position, 20, isOdd)).toEqual(sorted.filter(isOdd).slice(0, 20));
    }
    expect(table.closest(keyspacePosition(SELF), 0)).toEqual([]);
  });

  test('tells peers apart whose places begin alike', () => {
    // Found by trying: the sha2-256 of the two agree in their first 32 bits.
    const alike = [Uint8Array.of(0, 0, 0xa0, 0x36), Uint8Array.of(0, 0, 0xb2, 0x54)];
    expect(new Set(alike.map((each) => keyspacePosition(each).slice(0, 4).toHex())).size).toBe(1);
    const table = createPeerTable(SELF);
    for (const each of alike) table.put(each, {});
    const [a, b] = alike.map((each) => each.toHex());
    for (const each of alike) {
      const position = keyspacePosition(each);
      const [closest] = table.closest(position, 1);
      expect(closest?.name).toBe(each.toHex());
      expect([a, b].filter((name) => table.isAmongClosest(name ?? '', position, 1))).toEqual([each.toHex()]);
    }
  });

  test('put() keeps what it is not told, and never this node', () => {
    const table = createPeerTable(SELF);
    expect(table.put(SELF, { isConnected: true })).toBe(false);
    const address = Uint8Array.of(4, 10, 0, 0, 1, 6, 0, 1);
    table.put(id(1), { addresses: [address] });
    table.put(id(1), { isConnected: true });
    const peer = table.get(id(1).toHex());
    expect([peer?.addresses, peer?.isConnected, table.size, table.connectedCount]).toEqual([
      [address],
      true,
      1,
      1,
    ]);
    address.fill(0);
    expect(peer?.addresses[0]?.[0]).toBe(4);
    table.put(id(1), { isConnected: false });
    expect(table.connectedCount).toBe(0);
    table.put(id(1), { isConnected: true });
    table.remove(id(1).toHex());
    table.remove(id(1).toHex());
    expect([table.size, table.connectedCount]).toEqual([0, 0]);
  });

  test('put() takes no more names than its bound, but every connection', () => {
    const table = createPeerTable(SELF, { maxPeers: 2 });
    expect([1, 2, 3].map((number) => table.put(id(number), {}))).toEqual([true, true, false]);
    expect(table.put(id(4), { isConnected: true })).toBe(true);
  });
});
