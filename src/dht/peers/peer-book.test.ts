import { describe, expect, test } from 'bun:test';

import { MAX_IPS_PER_PEER } from '../limits.ts';
import { formatPeerAddress } from '../wire/peer-address.ts';
import { createPeerBook, DEAD_FOR_MS, JUST_PARTED_MS, PARTING_MS, UNSETTLED_MS } from './peer-book.ts';
import type { PeerListener } from './peer-book-contract.ts';
import { createPeerTable } from './peer-table.ts';

const id = (number: number) => Uint8Array.of(1, 0, number);
const name = (number: number) => id(number).toHex();
const peer = (number: number) => ({ id: id(number), name: name(number) });
const at = (...ip: number[]) => formatPeerAddress({ ip: Uint8Array.from(ip), port: 5001 });
const capabilities = { notices: true };

/** The book of a node that takes the peers in `members` for members, and addresses that are in `ips` for theirs. */
function start(maxPeers?: number) {
  let nowMs = 1_000_000;
  const peers = createPeerTable(id(0));
  const members = new Set([name(1), name(2)]);
  const ips = new Set(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
  const seen: string[] = [];
  const gate = {
    isMember: (bytes: Uint8Array) => members.has(bytes.toHex()),
    mayRecord: () => true,
    isUsable: (ip: Uint8Array) => ips.has(ip.join('.')),
  };
  const book = createPeerBook(
    { peers, gate, clock: { nowMs: () => nowMs } },
    maxPeers === undefined ? {} : { maxPeers },
  );
  const note = (what: string) => (subject: { readonly id: Uint8Array }) =>
    seen.push(`${what} ${subject.id[2]}`);
  const listener: PeerListener = {
    joined: ({ id: bytes }, { wasListed, hasJustParted }) =>
      seen.push(`joined ${bytes[2]}${wasListed ? ' again' : ''}${hasJustParted ? ' from a rest' : ''}`),
    returned: note('returned'),
    named: note('named'),
    resurfaced: note('resurfaced'),
    parting: note('parting'),
    closed: note('closed'),
    lost: note('lost'),
    searched: note('searched'),
    unlisted: note('unlisted'),
    dropped: note('dropped'),
    erased: note('erased'),
    distrusted: note('distrusted'),
  };
  book.subscribe(listener);
  return {
    book,
    peers,
    members,
    ips,
    /** What was told since the last call. */
    told: () => seen.splice(0),
    pass: (ms: number) => void (nowMs += ms),
    connect: (number: number, ...addresses: Uint8Array[]) =>
      book.connected(id(number), {
        addresses: addresses.length === 0 ? [at(10, 0, 0, 1)] : addresses,
        capabilities,
      }),
  };
}

describe('createPeerBook()', () => {
  test('follows a peer from the first connection to its death and back', () => {
    const { book, told, connect } = start();
    expect([book.lifeOf(name(1)), book.inStateMs(name(1))]).toEqual(['unknown', undefined]);
    connect(1);
    expect([book.lifeOf(name(1)), told()]).toEqual(['alive', ['joined 1', 'returned 1']]);
    book.disconnected(id(1));
    expect([book.lifeOf(name(1)), told()]).toEqual(['suspect', ['closed 1', 'lost 1', 'searched 1']]);
    book.happened('unreachable', peer(1));
    expect([book.lifeOf(name(1)), told()]).toEqual(['dead', ['unlisted 1']]);
    connect(1);
    expect([book.counts(), told()]).toEqual([{ alive: 1, suspect: 0, dead: 0 }, ['joined 1', 'returned 1']]);
  });

  test('is told of a peer that is silent, and answers again', () => {
    const { book, told, connect } = start();
    connect(1);
    told();
    book.happened('silenced', peer(1));
    expect([book.lifeOf(name(1)), book.isUnsettled(), told()]).toEqual(['dead', true, ['lost 1']]);
    book.happened('answered', peer(1));
    expect([book.lifeOf(name(1)), told()]).toEqual(['alive', ['returned 1']]);
    book.happened('silenced', peer(1));
    book.happened('abandoned', peer(1));
    expect(told()).toEqual(['lost 1', 'unlisted 1', 'dropped 1', 'searched 1']);
    // The end of its connection is not news.
    book.disconnected(id(1));
    expect([book.lifeOf(name(1)), told()]).toEqual(['dead', ['closed 1']]);
  });

  test('keeps a peer whose connection was not needed, and counts its end as no loss', () => {
    const { book, peers, told, pass, connect } = start();
    connect(1);
    book.parting(id(1));
    book.disconnected(id(1));
    expect(told()).toEqual(['joined 1', 'returned 1', 'parting 1', 'closed 1']);
    expect([book.lifeOf(name(1)), book.isUnsettled(), peers.get(name(1))?.isConnected]).toEqual([
      'unknown',
      false,
      false,
    ]);
    expect(book.describe(name(1))?.addresses).toEqual([at(10, 0, 0, 1)]);
    pass(JUST_PARTED_MS - 1);
    connect(1);
    expect(told()).toEqual(['joined 1 again from a rest', 'returned 1']);
    book.disconnected(id(1));
    pass(PARTING_MS);
    expect([book.hasParted(name(1), PARTING_MS + JUST_PARTED_MS), told()]).toEqual([true, ['closed 1']]);
    connect(1);
    book.disconnected(id(1));
    expect(book.hasParted(name(1), Infinity)).toBe(false);
    expect(told()).toEqual(['joined 1 again', 'returned 1', 'closed 1', 'lost 1', 'searched 1']);
  });

  test('forgets what a peer said that leaves or is not a member any more', () => {
    const { book, told, connect } = start();
    connect(1);
    connect(2);
    told();
    book.happened('left', peer(1));
    expect(told()).toEqual(['erased 1', 'unlisted 1', 'dropped 1', 'searched 1']);
    expect(book.isUnsettled()).toBe(false);
    book.happened('dismissed', peer(2));
    expect([book.lifeOf(name(2)), told()]).toEqual(['alive', ['erased 2', 'unlisted 2']]);
  });

  test('takes no end of a peer that is not a member for a loss', () => {
    const { book, told, connect } = start();
    connect(9);
    book.disconnected(id(9));
    book.happened('left', peer(9));
    book.disconnected(id(8));
    expect([book.isUnsettled(), told()]).toEqual([false, ['closed 9', 'erased 9', 'dropped 9']]);
  });

  test('forgets that a peer is dead when its records have faded, and no peer that is connected', () => {
    const { book, pass, connect } = start();
    book.happened('unreachable', peer(1));
    connect(2);
    pass(DEAD_FOR_MS + 1);
    expect([1, 2].map((number) => book.lifeOf(name(number)))).toEqual(['unknown', 'alive']);
  });

  test('tells for how long a peer has been in its state, however often that is confirmed', () => {
    const { book, pass, connect } = start();
    connect(1);
    pass(1000);
    connect(1);
    pass(500);
    expect(book.inStateMs(name(1))).toBe(1500);
    book.happened('unreachable', peer(1));
    pass(DEAD_FOR_MS);
    book.disconnected(id(1));
    book.happened('unreachable', peer(1));
    pass(DEAD_FOR_MS);
    expect([book.lifeOf(name(1)), book.inStateMs(name(1))]).toEqual(['dead', 2 * DEAD_FOR_MS]);
  });

  test('is unsettled for some seconds after a member was lost', () => {
    const { book, pass, connect } = start();
    connect(1);
    book.disconnected(id(1));
    expect(book.isUnsettled()).toBe(true);
    pass(UNSETTLED_MS);
    expect(book.isUnsettled()).toBe(false);
  });

  test('forgets the peers first that have been gone for longest, and no peer that is connected or in the table', () => {
    const { book, connect } = start(2);
    connect(9);
    connect(1);
    book.disconnected(id(1));
    for (const number of [3, 4, 5, 6]) book.happened('unreachable', peer(number));
    expect([9, 1, 3, 4, 5, 6].map((number) => book.lifeOf(name(number)))).toEqual([
      'alive',
      'suspect',
      'unknown',
      'unknown',
      'dead',
      'dead',
    ]);
  });

  test('keeps the word of some of the peers that come one after the other', () => {
    const { book, members } = start();
    for (let number = 0; number < 1500; number++) {
      const bytes = Uint8Array.of(2, number >> 8, number & 255);
      members.add(bytes.toHex());
      book.introduce(bytes, [at(10, 0, 0, 1)]);
    }
    const described = Array.from({ length: 1500 }, (_, number) =>
      book.describe(Uint8Array.of(2, number >> 8, number & 255).toHex()),
    ).filter((each) => each !== undefined);
    expect(described).toHaveLength(1000);
    expect(book.describe(Uint8Array.of(2, 5, 219).toHex())).toBeDefined();
  });

  test('knows what a peer can do while it is connected', () => {
    const { book, connect } = start();
    connect(1);
    expect(book.get(name(1))?.capabilities).toEqual({ flights: false, notices: true });
    book.connected(id(1), { addresses: [], capabilities: { flights: false, notices: false } });
    expect(book.get(name(1))?.capabilities).toEqual({ flights: false, notices: true });
    book.disconnected(id(1));
    expect(book.get(name(1))?.capabilities).toEqual({ flights: false, notices: false });
  });

  test('takes a member in that connects, with its addresses that are a member’s', () => {
    const { peers, connect } = start();
    connect(1, at(127, 0, 0, 1), at(10, 0, 0, 1), at(169, 254, 169, 254), at(8, 8, 8, 8));
    expect(peers.get(name(1))?.addresses).toEqual([at(10, 0, 0, 1)]);
    connect(1, at(10, 0, 0, 2));
    expect(peers.get(name(1))?.addresses).toEqual([at(10, 0, 0, 2)]);
    connect(9);
    expect(peers.size).toBe(1);
  });

  test('uses few of many addresses, each IP once', () => {
    const { peers, ips, connect } = start();
    for (let last = 0; last < 16; last++) ips.add(`10.0.1.${last}`);
    connect(1, at(10, 0, 0, 1), at(10, 0, 0, 1));
    expect(peers.get(name(1))?.addresses).toHaveLength(1);
    connect(1, ...Array.from({ length: 20_000 }, (_, index) => at(10, 0, 1, index % 16)));
    expect(peers.get(name(1))?.addresses).toHaveLength(MAX_IPS_PER_PEER);
  });

  test('takes no peer by a name whose addresses are not a member’s, nor a dead peer', () => {
    const { book, peers, told } = start();
    for (const address of [at(8, 8, 8, 8), at(127, 0, 0, 1), Uint8Array.of(1, 2, 3)]) {
      expect(book.named({ id: id(2), addresses: [address] })).toBe(false);
    }
    expect([book.named({ id: id(2), addresses: [] }), peers.size, told()]).toEqual([false, 0, []]);
    const addresses = [at(10, 0, 0, 2)];
    expect([book.named({ id: id(2), addresses }), told()]).toEqual([true, ['named 2']]);
    expect(peers.get(name(2))).toMatchObject({ isConnected: false });
    expect(book.named({ id: id(2), addresses })).toBe(false);
    book.happened('unreachable', peer(2));
    expect([book.named({ id: id(2), addresses }), told()]).toEqual([false, ['unlisted 2', 'resurfaced 2']]);
  });

  test('introduce() takes note of each change, and of peers that are not connected', () => {
    const { book, peers, told, connect } = start();
    const [one, two, three] = [at(10, 0, 0, 1), at(10, 0, 0, 2), at(10, 0, 0, 3)];
    const addresses = () => peers.get(name(1))?.addresses;
    connect(1, one, two);
    for (const said of [[one, two], [one, three], [three, one], [three], [three, two, one], [one]]) {
      expect(book.introduce(id(1), said)).toBe(true);
      expect(addresses()).toEqual(said);
    }
    book.disconnected(id(1));
    book.introduce(id(1), [two]);
    connect(1, two);
    expect(addresses()).toEqual([two]);
    expect(told().filter((text) => text.startsWith('joined'))).toEqual(['joined 1', 'joined 1 again']);
    // A peer that is present and left the table is back when it says anything, be it what is known.
    book.happened('dismissed', peer(1));
    book.introduce(id(1), [two]);
    expect(peers.get(name(1))?.isConnected).toBe(true);
  });

  test('reconsider() takes out peers whose addresses are not a member’s now, and lets new members in', () => {
    const { book, peers, members, ips, told, connect } = start();
    book.named({ id: id(2), addresses: [at(10, 0, 0, 2)] });
    book.named({ id: id(3), addresses: [at(10, 0, 0, 3)] });
    connect(4);
    told();
    book.reconsider();
    expect(told()).toEqual([]);
    ips.delete('10.0.0.2');
    members.add(name(4));
    book.reconsider();
    expect(told()).toEqual(['joined 4', 'returned 4', 'unlisted 2']);
    expect(peers.get(name(4))?.isConnected).toBe(true);
    members.delete(name(4));
    book.reconsider();
    expect(peers.get(name(4))).toBeUndefined();
  });

  test('describe() tells of a provider that is in no table, as long as it is a member', () => {
    const { book, members } = start();
    expect(book.introduce(id(5), [Uint8Array.of(1)])).toBe(false);
    expect(book.introduce(id(5), [at(10, 0, 0, 1)])).toBe(true);
    expect(book.describe(name(5))).toBeUndefined();
    members.add(name(5));
    expect(book.describe(name(5))?.addresses).toEqual([at(10, 0, 0, 1)]);
  });
});
