import { expect, test } from 'bun:test';
import { peerOf } from './page-facts.fixture.ts';
import { PEERS_PER_PAGE, selectPeers } from './select-peers.ts';

const ALL = { text: '', state: '', order: 'state', page: 0 };
const PEERS = [
  peerOf(1),
  peerOf(2, { order: 'last', why: 'slow' }),
  peerOf(3, { state: 'dead' }),
  peerOf(10, { zone: 'elsewhere', takenBytes: 9e9 }),
  peerOf(11, { state: 'suspect', isMember: false, givenBytes: 9e9 }),
  peerOf(4, { state: 'known', bytesPerSecond: 9e9 }),
];

test.each([
  [
    'all, worst first, then by name as people count',
    {},
    ['node-3', 'node-11', 'node-2', 'node-1', 'node-10', 'node-4'],
  ],
  ['by name', { order: 'name' }, ['node-1', 'node-2', 'node-3', 'node-4', 'node-10', 'node-11']],
  ['a part of the name', { text: ' NODE-1', order: 'name' }, ['node-1', 'node-10', 'node-11']],
  ['an address', { text: '10.0.0.4' }, ['node-3']],
  ['a zone', { text: 'elsewhere' }, ['node-10']],
  ['a state', { state: 'suspect' }, ['node-11']],
  ['those that are not asked in their turn', { state: 'skipped' }, ['node-2']],
  ['those that are not members', { state: 'other' }, ['node-11']],
  ['most taken first', { order: 'taken', state: 'connected' }, ['node-10', 'node-2', 'node-1']],
  ['most given first', { order: 'given', text: 'node-1', page: 7 }, ['node-11', 'node-10', 'node-1']],
  [
    'the fastest first',
    { order: 'rate', text: 'node-' },
    ['node-4', 'node-10', 'node-2', 'node-1', 'node-3', 'node-11'],
  ],
  ['none', { text: 'nowhere' }, []],
])('selectPeers() finds %s', (_, choice, names) => {
  const found = selectPeers(PEERS, { ...ALL, ...choice });
  expect(found.peers.map(({ name }) => name ?? '')).toEqual(names);
  expect(found).toMatchObject({ count: names.length, page: 0, pages: 1 });
});

test('selectPeers() cuts a thousand into pages, and goes back to the last one that is there', () => {
  const many = Array.from({ length: 1000 }, (_, n) => peerOf(n));
  const last = selectPeers(many, { ...ALL, page: 99 });
  expect(last).toMatchObject({ count: 1000, page: 19, pages: 20 });
  expect(last.peers).toHaveLength(PEERS_PER_PAGE);
  expect(last.peers.at(-1)?.name).toBe('node-999');
});
