import { describe, expect, test } from 'bun:test';
import { silentLogger } from '../observe/log.ts';
import { parseDigest } from '../oci/digest.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { createDeliveredBlobs, type GivenPart } from './delivered-blobs.ts';
import type { Giver } from './wrong-peers.ts';

const DIGEST = parseDigest(`sha256:${'a'.repeat(64)}`);
const SIZE = 1000;

interface State {
  isCommitted: boolean;
  isRight: boolean | undefined;
  /** Undefined: containerd has none. */
  ingest: { state: 'open' | 'closed' | 'gone'; bytes: number; total?: number | undefined } | undefined;
  readonly hashed: (string | number)[];
  aborted: number;
  open: number;
  readonly wrong: { readonly givers: readonly Giver[]; readonly isSure: boolean }[];
}

function create() {
  const clock = createVirtualClock();
  const state: State = {
    isCommitted: false,
    isRight: false,
    ingest: { state: 'open', bytes: SIZE, total: SIZE },
    hashed: [],
    aborted: 0,
    open: 0,
    wrong: [],
  };
  const delivered = createDeliveredBlobs({
    store: {
      stat: async (digest) =>
        state.isCommitted ? { digest, sizeBytes: SIZE, path: '/blob', stamp: 1 } : undefined,
    },
    ingests: {
      async open(digest) {
        if (state.ingest === undefined) return undefined;
        const { ingest } = state;
        state.open++;
        return {
          digest,
          sizeBytes: ingest.total,
          descriptor: 7,
          writtenBytes: () => ingest.bytes,
          state: () => ingest.state,
          async abort() {
            state.aborted++;
            return true;
          },
          [Symbol.dispose]: () => void state.open--,
        };
      },
    },
    hasher: {
      async check({ file }) {
        state.hashed.push(file);
        return state.isRight === undefined ? undefined : { isRight: state.isRight, stamp: 1 };
      },
    },
    onWrong: (_digest, givers, isSure) => void state.wrong.push({ givers, isSure }),
    clock,
    logger: silentLogger,
  });
  return { delivered, state, clock };
}

const part = (peer: string, start: number, sizeBytes: number, isUnverified = false): GivenPart => ({
  peer: { id: peer, addresses: [`host of ${peer}`] },
  host: `host of ${peer}`,
  start,
  sizeBytes,
  isUnverified,
});
const peersOf = ({ wrong }: State) =>
  wrong.map(({ givers, isSure }) => [givers.map(({ peer }) => peer.id), isSure]);

describe('createDeliveredBlobs()', () => {
  test('convicts the peer whose bytes are wrong, and throws them away', async () => {
    const { delivered, state, clock } = create();
    delivered.given(DIGEST, part('liar', 0, SIZE), SIZE);
    await clock.advance(1400);
    expect([state.hashed, state.open]).toEqual([[], 1]);
    await clock.advance(200);
    expect(peersOf(state)).toEqual([[['liar'], true]]);
    expect([state.hashed, state.aborted, state.open]).toEqual([[7], 1, 0]);
  });

  test.each<['closed' | 'gone', number]>([
    ['closed', 300],
    ['gone', 600],
  ])('does not wait for what is %s without a commit', async (how, ms) => {
    const { delivered, state, clock } = create();
    state.ingest = { state: how, bytes: SIZE, total: SIZE };
    delivered.given(DIGEST, part('liar', 0, SIZE), SIZE);
    await clock.advance(ms);
    expect(peersOf(state)).toEqual([[['liar'], true]]);
  });

  test.each<[string, (state: State) => void]>([
    ['was committed', (state) => (state.isCommitted = true)],
    ['was committed at once', (state) => (state.ingest = undefined)],
    ['is not whole', (state) => (state.ingest = { state: 'open', bytes: SIZE - 1, total: SIZE })],
  ])('does not hash what %s', async (_what, change) => {
    const { delivered, state, clock } = create();
    change(state);
    delivered.given(DIGEST, part('peer', 0, SIZE), SIZE);
    await clock.advance(5000);
    expect(state).toMatchObject({ hashed: [], wrong: [], aborted: 0, open: 0 });
  });

  test('has a bounded number of files open', async () => {
    const { delivered, state, clock } = create();
    for (let n = 0; n < 200; n++) {
      const digest = parseDigest(`sha256:${n.toString(16).padStart(64, '0')}`);
      delivered.given(digest, part('peer', 0, SIZE), SIZE);
    }
    await clock.advance(10);
    expect(state.open).toBe(64);
    await clock.advance(5000);
    expect(state.open).toBe(0);
  });

  test.each([true, undefined])(
    'convicts no peer where the bytes are right, or cannot be read (%p)',
    async (isRight) => {
      const { delivered, state, clock } = create();
      state.isRight = isRight;
      delivered.given(DIGEST, part('peer', 0, SIZE), SIZE);
      await clock.advance(5000);
      expect(state).toMatchObject({ hashed: [7], wrong: [], aborted: 0, open: 0 });
    },
  );

  test('looks at what peers gave from the first byte to the last, in whatever order', async () => {
    const { delivered, state, clock } = create();
    delivered.given(DIGEST, part('one', 500, 499), SIZE);
    delivered.given(DIGEST, part('two', 0, 500), SIZE);
    await clock.advance(5000);
    expect(state.hashed).toEqual([]);
    delivered.given(DIGEST, part('two', 950, 50), SIZE);
    await clock.advance(5000);
    expect(peersOf(state)).toEqual([[['one', 'two'], false]]);
  });

  test('judges a large blob that came in many pieces, and holds little of it', async () => {
    const { delivered, state, clock } = create();
    state.ingest = { state: 'open', bytes: 1000 * SIZE, total: 1000 * SIZE };
    for (let n = 0; n < 1000; n++) {
      delivered.given(DIGEST, part(`peer ${n % 4}`, n * SIZE, SIZE), 1000 * SIZE);
    }
    await clock.advance(5000);
    expect(peersOf(state)).toEqual([[['peer 0', 'peer 1', 'peer 2', 'peer 3'], false]]);
  });

  test('looks at what containerd ends with bytes from elsewhere, and is not sure of the peer', async () => {
    const { delivered, state, clock } = create();
    const ingest: NonNullable<State['ingest']> = { state: 'closed', bytes: 300, total: SIZE };
    state.ingest = ingest;
    delivered.given(DIGEST, part('liar', 0, 300), SIZE);
    delivered.restIsElsewhere(DIGEST);
    // Once it is watched.
    delivered.restIsElsewhere(DIGEST);
    await clock.advance(3000);
    ingest.state = 'open';
    await clock.advance(60_000);
    expect([state.hashed, state.open]).toEqual([[], 1]);
    ingest.bytes = SIZE;
    await clock.advance(3000);
    expect(peersOf(state)).toEqual([[['liar'], false]]);
    expect([state.hashed, state.aborted, state.open]).toEqual([[7], 1, 0]);
  });

  test('looks at what a peer ended, although it did not begin it', async () => {
    const { delivered, state, clock } = create();
    delivered.given(DIGEST, part('liar', 700, 300), SIZE);
    await clock.advance(2000);
    expect(peersOf(state)).toEqual([[['liar'], false]]);
  });

  test.each<[string, (state: State) => void]>([
    ['is gone', (state) => (state.ingest = { state: 'gone', bytes: 300 })],
    ['stays closed', (state) => (state.ingest = { state: 'closed', bytes: 300 })],
    ['was committed', (state) => (state.isCommitted = true)],
    ['never comes', () => {}],
  ])('does not wait for a rest that %s', async (_what, change) => {
    const { delivered, state, clock } = create();
    state.ingest = { state: 'open', bytes: 300 };
    change(state);
    delivered.given(DIGEST, part('peer', 0, 300), SIZE);
    delivered.restIsElsewhere(DIGEST);
    await clock.advance(601_000);
    expect(state).toMatchObject({ hashed: [], wrong: [], aborted: 0, open: 0 });
  });

  test('is not sure of a peer that passed on what it was downloading', async () => {
    const { delivered, state, clock } = create();
    delivered.given(DIGEST, part('parent', 0, SIZE, true), SIZE);
    await clock.advance(5000);
    expect(peersOf(state)).toEqual([[['parent'], false]]);
  });

  test('does not add up what was given before the blob was asked for anew', async () => {
    const { delivered, state, clock } = create();
    delivered.given(DIGEST, part('first', 0, 500), SIZE);
    delivered.asked(DIGEST, 0);
    delivered.given(DIGEST, part('second', 500, 500), SIZE);
    await clock.advance(5000);
    expect(peersOf(state)).toEqual([[['second'], false]]);
    state.wrong.length = 0;
    delivered.asked(DIGEST, 0);
    delivered.given(DIGEST, part('second', 0, SIZE), SIZE);
    await clock.advance(5000);
    expect(peersOf(state)).toEqual([[['second'], true]]);
  });

  test('goes by the size that containerd was told, not by what peers say', async () => {
    const { delivered, state, clock } = create();
    const ingest: NonNullable<State['ingest']> = { state: 'open', bytes: 300, total: SIZE };
    state.ingest = ingest;
    delivered.given(DIGEST, part('liar', 0, 300), 300);
    await clock.advance(5000);
    expect([state.hashed, state.open]).toEqual([[], 1]);
    ingest.bytes = SIZE;
    await clock.advance(5000);
    expect(peersOf(state)).toEqual([[['liar'], false]]);
    expect([state.aborted, state.open]).toEqual([1, 0]);
  });

  test('throws nothing away that containerd may write more of', async () => {
    const { delivered, state, clock } = create();
    state.ingest = { state: 'open', bytes: 300, total: undefined };
    delivered.given(DIGEST, part('liar', 0, 300), 300);
    await clock.advance(5000);
    expect(peersOf(state)).toEqual([[['liar'], true]]);
    expect([state.hashed, state.aborted, state.open]).toEqual([[7], 0, 0]);
  });

  test('hashes what containerd had thrown away before the end of the body was known', async () => {
    const { delivered, state, clock } = create();
    const begun = delivered.begins(DIGEST);
    await clock.advance(1);
    expect(state.open).toBe(1);
    if (state.ingest !== undefined) state.ingest.state = 'gone';
    state.ingest = undefined;
    delivered.given(DIGEST, part('liar', 0, SIZE), SIZE);
    begun[Symbol.dispose]();
    await clock.advance(1000);
    expect(peersOf(state)).toEqual([[['liar'], true]]);
    expect([state.hashed, state.open]).toEqual([[7], 0]);
  });

  test('keeps a file open for each blob of which bodies come, up to a number', async () => {
    const { delivered, state, clock } = create();
    const digestOf = (n: number) => parseDigest(`sha256:${n.toString(16).padStart(64, '0')}`);
    const begun = Array.from({ length: 400 }, (_, n) => delivered.begins(digestOf(n % 200)));
    await clock.advance(1);
    expect(state.open).toBe(128);
    for (const each of begun) each[Symbol.dispose]();
    for (const each of begun) each[Symbol.dispose]();
    await clock.advance(1);
    expect(state.open).toBe(0);
  });
});
