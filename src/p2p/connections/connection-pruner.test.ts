import { expect, test } from 'bun:test';
import type { PeerId } from '@libp2p/interface';

import { type ConnectionFacts, spareConnections } from './connection-pruner.ts';

const MINUTE_MS = 60_000;
const connection = (
  peer: string,
  direction: 'inbound' | 'outbound',
  openMs: number,
  status: 'open' | 'closing' = 'open',
): ConnectionFacts => ({
  direction,
  status,
  remotePeer: { toString: () => peer } as unknown as PeerId,
  timeline: { open: openMs },
});
const spare = (self: string, connections: readonly ConnectionFacts[]) =>
  spareConnections(connections, { self, nowMs: 10 * MINUTE_MS, youngMs: MINUTE_MS })
    .map(({ direction, timeline }) => `${direction} ${timeline.open}`)
    .sort();

test('spareConnections() leaves one connection to each peer, the same one at both ends', () => {
  // What one node opened is inbound at the other node, which sees it a moment later.
  const atA = [
    connection('B', 'outbound', 1000),
    connection('B', 'outbound', 2000),
    connection('B', 'inbound', 3000),
  ];
  const atB = [
    connection('A', 'inbound', 1010),
    connection('A', 'inbound', 2010),
    connection('A', 'outbound', 2990),
  ];
  expect(spare('A', atA)).toEqual(['inbound 3000', 'outbound 1000']);
  expect(spare('B', atB)).toEqual(['inbound 1010', 'outbound 2990']);
});

test('spareConnections() leaves alone a peer with one connection, and connections that are young or about to end', () => {
  const two = [connection('C', 'inbound', 1000), connection('C', 'inbound', 9.5 * MINUTE_MS)];
  const ending = [connection('D', 'inbound', 1000), connection('D', 'inbound', 2000, 'closing')];
  expect(spare('A', [connection('B', 'inbound', 1000), ...two, ...ending])).toEqual([]);
});
