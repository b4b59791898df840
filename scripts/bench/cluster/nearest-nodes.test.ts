import { expect, test } from 'bun:test';
import { keyPosition, nearestNodes } from './nearest-nodes.ts';

test('nearestNodes() sorts by the XOR of the positions', () => {
  const target = keyPosition('sha256:key');
  const flipped = (index: number, bits: number) =>
    Uint8Array.from(target, (byte, at) => (at === index ? byte ^ bits : byte));
  const nodes = [
    { node: 0, position: flipped(0, 0x80) },
    { node: 1, position: flipped(31, 1) },
    { node: 2, position: flipped(0, 1) },
    { node: 3, position: flipped(1, 0xff) },
  ];
  expect(nearestNodes('sha256:key', nodes, 3)).toEqual([1, 3, 2]);
});
