import { expect, test } from 'bun:test';
import { type LivePeer, type LivePull, MAX_ENDED_PULLS, mergePeers, mergePulls } from './live-report.ts';

function peer(id: string, takenBytes = 0): LivePeer {
  const traffic = { takenBytes, givenBytes: 0 };
  return { id, addresses: [], state: 'connected', isMember: true, order: 'first', ...traffic };
}

function pull(id: number): LivePull {
  const bytes = { localBytes: 0, peerBytes: 0, flightBytes: 0, upstreamBytes: 0 };
  const image = 'docker.io/library/nginx:1';
  const when = { startedAt: '2026-01-01T00:00:00.000Z', durationMs: 1 };
  return { id, image, outcome: 'served', ...when, ...bytes, peers: [], blobs: [], blobCount: 0 };
}

test('mergePeers() adds, changes and removes, and begins anew with the whole', () => {
  const whole = mergePeers(new Map(), { isWhole: true, peers: [peer('a'), peer('b')], gone: [] });
  const changed = mergePeers(whole, { isWhole: false, peers: [peer('b', 5), peer('c')], gone: ['a'] });
  expect([...changed.values()]).toEqual([peer('b', 5), peer('c')]);
  expect([...whole.keys()]).toEqual(['a', 'b']);
  expect([...mergePeers(changed, { isWhole: true, peers: [peer('d')], gone: [] }).keys()]).toEqual(['d']);
});

test('mergePulls() puts the newest first, has none twice, and forgets the oldest', () => {
  const all = Array.from({ length: MAX_ENDED_PULLS }, (_, n) => pull(MAX_ENDED_PULLS - n));
  const first = mergePulls([], { running: [], ended: all });
  expect(first).toEqual(all);
  const then = mergePulls(first, { running: [], ended: [pull(51), pull(50)] });
  expect(then.map(({ id }) => id)).toEqual(Array.from({ length: MAX_ENDED_PULLS }, (_, n) => 51 - n));
});

test('mergePulls() puts the pull first that ended last, also when it is told of another one later', () => {
  const late = { ...pull(1), startedAt: '2026-01-01T00:00:09.000Z' };
  const early = { ...pull(2), startedAt: '2026-01-01T00:00:01.000Z', durationMs: 1500 };
  const all = mergePulls([late], { running: [], ended: [early] });
  expect(all.map(({ id }) => id)).toEqual([1, 2]);
});
