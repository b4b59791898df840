import { describe, expect, test } from 'bun:test';

import { MISS_LIFETIME_MS } from '../../routing/miss-lifetime.ts';
import { until } from '../../runtime/conditions.fixture.ts';
import { systemTimers } from '../../runtime/timers.ts';
import { contentMultihash } from '../wire/content-key.ts';
import type { NamedPeer } from '../wire/dht-message.ts';
import type { ProvidersAnswer } from '../wire/get-providers-message.ts';
import type { PeerLife } from '../peers/peer-states.ts';
import { createPeerTable } from '../peers/peer-table.ts';
import { createProviderLookups } from './provider-lookups.ts';
import type { LookupOutcome } from './provider-lookups-contract.ts';
import { createProviderRecords } from '../provide/provider-records.ts';
import { KEEP_FOUND_MS } from './lookup-cache.ts';

const NEVER = new AbortController().signal;
const KEY = 'sha256:x';

/** A peer whose ID and only address are the number. */
const peer = (number: number): NamedPeer => ({
  id: Uint8Array.of(number),
  addresses: [Uint8Array.of(number)],
});
const nameOf = (number: number) => peer(number).id.toHex();

/** Lookups of node 0, which knows `neighbours`. `answer` is what each of them says. */
function setUp(neighbours: readonly number[]) {
  let nowMs = 1000;
  const clock = { nowMs: () => nowMs };
  const [records, peers] = [createProviderRecords(clock), createPeerTable(Uint8Array.of(0))];
  const lives = new Map<string, PeerLife>();
  for (const number of neighbours) {
    const { id, addresses } = peer(number);
    peers.put(id, { addresses, isConnected: true });
  }
  const state = {
    asked: 0,
    outcomes: [] as LookupOutcome[],
    dead: [] as string[],
    random: 0,
    /** Peers that were not heard for long, and whether they answer. */
    quiet: new Map<string, Promise<boolean>>(),
    answer: async (): Promise<ProvidersAnswer> => ({ providers: [], closer: [] }),
  };
  const lookups = createProviderLookups({
    self: Uint8Array.of(0),
    network: {
      async ask() {
        state.asked++;
        return state.answer();
      },
      isSilent: () => false,
    },
    records,
    peers,
    describe: (name) => peers.get(name),
    lifeOf: (name) => lives.get(name) ?? 'unknown',
    zoneOf: () => undefined,
    detector: {
      isQuiet: (name) => state.quiet.has(name),
      confirm: async (name) => state.quiet.get(name) ?? true,
    },
    toProvider: ({ id, addresses: [address] }) =>
      address === undefined
        ? undefined
        : { id: `P${id[0]}`, name: id.toHex(), addresses: [`10.0.0.${address[0]}`] },
    onDeadNamed: ({ id }) => state.dead.push(id.toHex()),
    observer: { walkEnded() {}, lookupEnded: (outcome) => state.outcomes.push(outcome) },
    random: () => state.random,
    clock,
    timers: systemTimers,
  });
  const find = async (limit = 20, signal = NEVER) =>
    (await Array.fromAsync(lookups.lookup(KEY, { signal, limit }))).map(({ id }) => id);
  return {
    state,
    lookups,
    records,
    peers,
    lives,
    find,
    says: (...providers: number[]) => {
      state.answer = async () => ({ providers: providers.map(peer), closer: [] });
    },
    pass: (ms: number) => void (nowMs += ms),
  };
}

describe('createProviderLookups()', () => {
  test('lookup() yields what neighbours say, each provider once and never this node', async () => {
    const { find, says } = setUp([1, 2, 3]);
    says(7, 0, 8);
    expect((await find()).sort()).toEqual(['P7', 'P8']);
    expect(await find(1)).toEqual(['P7']);
    expect(await find(0)).toEqual([]);
  });

  test('lookup() yields what this node has recorded first, and asks no peer if that is enough', async () => {
    const { find, says, records, state } = setUp([1, 2]);
    for (const number of [1, 9, 0]) records.add(contentMultihash(KEY), nameOf(number));
    says(7);
    // 9 is not known, so that no peer can say where it is.
    expect(await find(1)).toEqual(['P1']);
    expect([state.asked, state.outcomes]).toEqual([0, ['record']]);
    expect(await find()).toEqual(['P1', 'P7']);
  });

  test('lookup() asks peers beside what it has recorded only when its caller lets it, or where it has nothing', async () => {
    const { lookups, says, records, state } = setUp([1, 2]);
    records.add(contentMultihash(KEY), nameOf(1));
    says(7);
    const mayAsk = Promise.withResolvers<void>();
    const all = lookups.lookup(KEY, {
      signal: new AbortController().signal,
      limit: 9,
      beforeAsking: () => mayAsk.promise,
    });
    expect((await all.next()).value?.id).toBe('P1');
    const next = all.next();
    await new Promise(setImmediate);
    expect(state.asked).toBe(0);
    mayAsk.resolve();
    expect((await next).value?.id).toBe('P7');
    const beforeAsking = async () => Promise.reject(new Error('There is nothing to rest with'));
    const others = lookups.lookup('other', { signal: new AbortController().signal, limit: 1, beforeAsking });
    expect((await others.next()).value?.id).toBe('P7');
  });

  test('lookup() begins anywhere among what this node knows, so that not all nodes ask the same peer first', async () => {
    const { find, says, state } = setUp([1]);
    says(6, 7, 8);
    await find();
    for (const [random, order] of [
      [0, ['P6', 'P7', 'P8']],
      [0.5, ['P7', 'P8', 'P6']],
      [0.99, ['P8', 'P6', 'P7']],
    ] as const) {
      state.random = random;
      expect(await find(3)).toEqual([...order]);
    }
  });

  test('lookup() yields at once what was found a moment ago, and goes on only when more is wanted', async () => {
    const { find, says, state, pass, lookups } = setUp([1]);
    says(7);
    await find();
    says(8);
    const [first] = await Array.fromAsync(lookups.lookup(KEY, { signal: NEVER, limit: 1 }));
    expect([first?.id, state.asked, state.outcomes]).toEqual(['P7', 1, ['network', 'kept']]);
    expect(await find()).toEqual(['P7', 'P8']);
    pass(KEEP_FOUND_MS + 1);
    expect(await find()).toEqual(['P8']);
  });

  test('lookup() does not ask again for a moment when there was no provider', async () => {
    const { find, says, state, pass } = setUp([1]);
    expect(await find()).toEqual([]);
    says(7);
    expect([await find(), state.asked]).toEqual([[], 1]);
    pass(MISS_LIFETIME_MS + 1);
    expect([await find(), state.asked]).toEqual([['P7'], 2]);
    expect(state.outcomes).toEqual(['nobody', 'nobody', 'network']);
  });

  test('lookup() leaves out dead providers, whatever the records say, and takes back a provider that returns', async () => {
    const { find, says, lives, records, state } = setUp([1, 2]);
    records.add(contentMultihash(KEY), nameOf(1));
    says(7, 8);
    lives.set(nameOf(7), 'alive');
    lives.set(nameOf(7), 'dead');
    lives.set(nameOf(1), 'dead');
    expect(await find()).toEqual(['P8']);
    expect(state.dead).toEqual([nameOf(1), nameOf(7)]);
    lives.set(nameOf(7), 'alive');
    lives.set(nameOf(1), 'alive');
    expect((await find()).sort()).toEqual(['P1', 'P7', 'P8']);
  });

  test('lookup() believes of a connected peer what it says itself, not where others say that it is', async () => {
    const { lookups, state, peers, lives } = setUp([1]);
    const addresses = async () =>
      (await Array.fromAsync(lookups.lookup(KEY, { signal: NEVER, limit: 20 }))).map((each) =>
        each.addresses.join(),
      );
    state.answer = async () => ({
      providers: [7, 8].map((number) => ({ id: peer(number).id, addresses: [Uint8Array.of(66)] })),
      closer: [],
    });
    peers.put(peer(7).id, { addresses: peer(7).addresses, isConnected: true });
    lives.set(nameOf(7), 'alive');
    peers.put(peer(8).id, { addresses: peer(8).addresses });
    expect(await addresses()).toEqual(['10.0.0.7', '10.0.0.66']);
  });

  test('lookup() yields suspect providers last', async () => {
    const { find, says, lives } = setUp([1]);
    lives.set(nameOf(7), 'suspect');
    says(7, 8);
    expect(await find()).toEqual(['P8', 'P7']);
  });

  test('lookup() yields a quiet provider when it has answered, and leaves it out when it does not', async () => {
    const { find, says, lives, records, state, pass } = setUp([1, 2]);
    const answer = Promise.withResolvers<boolean>();
    for (const number of [1, 7]) lives.set(nameOf(number), 'alive');
    records.add(contentMultihash(KEY), nameOf(1));
    state.quiet.set(nameOf(1), answer.promise);
    state.quiet.set(nameOf(7), Promise.resolve(false));
    says(7, 8);
    const found = find();
    await until(() => state.asked === 2);
    answer.resolve(true);
    expect(await found).toEqual(['P8', 'P1']);
    // The peer may be quiet again: that it was found a moment ago is not a reason not to probe it.
    state.quiet.set(nameOf(1), Promise.resolve(false));
    expect(await find()).toEqual(['P8']);
    state.quiet.clear();
    pass(KEEP_FOUND_MS + 1);
    expect((await find()).sort()).toEqual(['P1', 'P7', 'P8']);
  });

  test('lookup() ends when the signal aborts while a quiet provider does not answer', async () => {
    const { find, lives, records, state } = setUp([1]);
    lives.set(nameOf(1), 'alive');
    records.add(contentMultihash(KEY), nameOf(1));
    const answer = Promise.withResolvers<boolean>();
    state.quiet.set(nameOf(1), answer.promise);
    const abort = new AbortController();
    const found = find(20, abort.signal);
    await until(() => state.asked === 1);
    abort.abort();
    expect(await found).toEqual([]);
    answer.resolve(true);
  });

  test('lookup() asks no dead peer', async () => {
    const { find, says, lives, state } = setUp([1, 2]);
    lives.set(nameOf(1), 'dead');
    lives.set(nameOf(2), 'dead');
    says(7);
    expect([await find(), state.asked]).toEqual([[], 0]);
  });

  test('lookup() asks no dead peer when another peer names it as close', async () => {
    const { find, lives, state } = setUp([1]);
    lives.set(nameOf(2), 'dead');
    state.answer = async () => ({ providers: [], closer: [peer(2), peer(3)] });
    expect([await find(), state.asked]).toEqual([[], 2]);
  });

  test('lookup() of one key at a time is one walk', async () => {
    const { find, says, state } = setUp([1]);
    says(7);
    expect(await Promise.all(Array.from({ length: 30 }, async () => find()))).toEqual(
      Array.from({ length: 30 }, () => ['P7']),
    );
    expect(state.asked).toBe(1);
  });

  test('lookup() ends when the signal aborts while no peer answers, and at once', async () => {
    const { find, state } = setUp([1]);
    state.answer = async () => new Promise(() => {});
    const abort = new AbortController();
    const ended = find(20, abort.signal);
    await until(() => state.asked === 1);
    abort.abort();
    expect(await ended).toEqual([]);
  });

  test('lookup() ends when no peer answers', async () => {
    const { find, state } = setUp([1]);
    state.answer = async () => new Promise(() => {});
    expect(await find()).toEqual([]);
  });

  test('peerJoined() lets lookups ask further than a peer that may lack records', async () => {
    const { find, lookups, state, pass } = setUp([1, 2, 3, 4, 5, 6]);
    for (const number of [1, 2, 3]) lookups.peerJoined(nameOf(number));
    await find();
    expect(state.asked).toBeGreaterThan(3);
    pass(4000);
    state.asked = 0;
    await find();
    expect(state.asked).toBe(3);
  });

  test('absent() spares the next lookup its questions, once for each key', async () => {
    const { find, lookups, pass, state } = setUp([1, 2]);
    lookups.absent(KEY, nameOf(1));
    expect(await find()).toEqual([]);
    expect(state.asked).toBe(0);
    pass(MISS_LIFETIME_MS);
    lookups.absent(KEY, nameOf(1));
    expect(await find()).toEqual([]);
    expect(state.asked).toBe(2);
  });

  test('absent() is not believed of a peer that may lack records, nor instead of what was found', async () => {
    const { find, lookups, pass, says, state } = setUp([1, 2]);
    lookups.absent(KEY, nameOf(9));
    says(7);
    expect(await find(1)).toEqual(['P7']);
    lookups.absent(KEY, nameOf(1));
    expect(await find(1)).toEqual(['P7']);
    pass(KEEP_FOUND_MS);
    lookups.peerJoined(nameOf(2));
    lookups.absent(KEY, nameOf(1));
    const asked = state.asked;
    expect(await find(1)).toEqual(['P7']);
    expect(state.asked).toBeGreaterThan(asked);
  });
});
