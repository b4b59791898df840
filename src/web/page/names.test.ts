import { expect, test } from 'bun:test';
import { createNames } from './names.ts';
import { HEALTH, peerOf } from './page-facts.fixture.ts';

const [one, two, three, self] = [
  peerOf(1),
  peerOf(2, { name: 'same' }),
  peerOf(3, { name: 'same' }),
  peerOf(4, { name: HEALTH.self.name }),
];
const nameless = peerOf(5, { name: undefined });
const names = createNames({
  health: HEALTH,
  peers: new Map([one, two, three, self, nameless].map((peer) => [peer.id, peer])),
});

test('createNames() calls nodes by their names, and by their addresses where a name tells nothing', () => {
  expect([one, two, three, self, nameless].map(({ id }) => names.ofPeer(id))).toEqual([
    'node-1',
    'same (10.0.0.3)',
    'same (10.0.0.4)',
    'node-0 (10.0.0.5)',
    '10.0.0.6',
  ]);
  expect(names.ofPeer(HEALTH.self.id)).toBe('node-0');
  expect(names.ofPeer('12D3KooWunknown')).toBe('…Wunknown');
  expect(['local', '10.0.0.2', '10.0.0.4', '10.9.9.9'].map((address) => names.ofAddress(address))).toEqual([
    'this node',
    'node-1',
    'same (10.0.0.4)',
    '10.9.9.9',
  ]);
});
