import { describe, expect, test } from 'bun:test';
import { createPeersSection } from './live-peers.ts';
import type { LivePeer, LivePeers } from './live-report.ts';

function peer(id: string, more: Partial<LivePeer> = {}): LivePeer {
  const traffic = { takenBytes: 0, givenBytes: 0 };
  return { id, addresses: [], state: 'connected', isMember: true, order: 'first', ...traffic, ...more };
}

/** A section over peers that the test sets. */
function start(first: readonly LivePeer[]) {
  let peers = first;
  const section = createPeersSection(() => peers);
  const read = (version: number) => {
    const news = section.since(version);
    return news && { version: news.version, ...(JSON.parse(news.data) as LivePeers) };
  };
  const set = (next: readonly LivePeer[]) => {
    peers = next;
    section.refresh();
  };
  section.refresh();
  return { set, read, refresh: () => section.refresh() };
}

describe('createPeersSection()', () => {
  test('tells all at first, then what has changed, each stream from where it is', () => {
    const { set, read, refresh } = start([peer('a'), peer('b')]);
    expect(read(0)).toEqual({ version: 1, isWhole: true, gone: [], peers: [peer('a'), peer('b')] });
    refresh();
    expect(read(1)).toBeUndefined();
    set([peer('a', { takenBytes: 5 }), peer('b')]);
    expect(read(1)).toEqual({ version: 2, isWhole: false, gone: [], peers: [peer('a', { takenBytes: 5 })] });
    set([peer('a', { takenBytes: 5 }), peer('c')]);
    expect(read(2)).toEqual({ version: 3, isWhole: false, gone: ['b'], peers: [peer('c')] });
    expect(read(1)).toMatchObject({ gone: ['b'], peers: [{ id: 'a' }, { id: 'c' }] });
    expect(read(0)).toMatchObject({ isWhole: true, gone: [], peers: [{ id: 'a' }, { id: 'c' }] });
    set([peer('a', { takenBytes: 5 }), peer('b'), peer('c')]);
    expect(read(2)).toMatchObject({ gone: [], peers: [{ id: 'c' }, { id: 'b' }] });
  });

  test('tells of no peers at first, too', () => {
    const { read } = start([]);
    expect(read(0)).toEqual({ version: 1, isWhole: true, gone: [], peers: [] });
  });

  test('takes a beginning that is a little different for the same, while the state is', () => {
    const { set, read } = start([peer('a', { stateSinceMs: 1000 })]);
    set([peer('a', { stateSinceMs: 1900 })]);
    expect(read(1)).toBeUndefined();
    set([peer('a', { stateSinceMs: 1900, state: 'dead' })]);
    expect(read(1)?.peers).toEqual([peer('a', { stateSinceMs: 1900, state: 'dead' })]);
    set([peer('a', { stateSinceMs: 4000, state: 'dead' })]);
    expect(read(2)?.peers).toEqual([peer('a', { stateSinceMs: 4000, state: 'dead' })]);
  });

  test('tells at most 2,000 peers, members first', () => {
    const strangers = Array.from({ length: 3000 }, (_, n) => peer(`s${n}`, { isMember: false }));
    const { read } = start([...strangers, peer('member')]);
    expect(read(0)?.peers).toHaveLength(2000);
    expect(read(0)?.peers[0]?.id).toBe('member');
  });

  test('tells all to a stream that has missed more than 2,000 departures', () => {
    const crowd = (name: string) => Array.from({ length: 1500 }, (_, n) => peer(`${name}${n}`));
    const { set, read } = start(crowd('a'));
    set(crowd('b'));
    expect(read(1)).toMatchObject({ isWhole: false });
    expect(read(1)?.gone).toHaveLength(1500);
    set(crowd('c'));
    expect(read(1)).toMatchObject({ isWhole: true, gone: [] });
    expect(read(2)).toMatchObject({ isWhole: false });
  });
});
