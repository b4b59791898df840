import { expect, test } from 'bun:test';

import { countPeers, formatPeerCounts } from './peer-counts.ts';

const peer = (state: 'connected' | 'suspect' | 'dead' | 'known', isMember = true) => ({ state, isMember });

test.each([
  [[], '0'],
  [[peer('connected'), peer('connected')], '2: 2 connected; all of them members'],
  [
    [peer('dead'), peer('connected'), peer('suspect'), peer('known', false)],
    '4: 1 connected, 1 suspect, 1 dead, 1 known; 3 of them members',
  ],
])('formatPeerCounts() tells what countPeers() has counted: %#', (peers, expected) => {
  expect(formatPeerCounts(countPeers(peers))).toBe(expected);
});
