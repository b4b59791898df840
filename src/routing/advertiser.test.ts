import { afterEach, describe, expect, test } from 'bun:test';

import { silentLogger } from '../observe/log.ts';
import { digestOf, type Digest } from '../oci/digest.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import type { StoreEvent, Tag } from '../store/content-store.ts';
import { type Advertiser, type AdvertiserOptions, createAdvertiser } from './advertiser.ts';

const [A, B, C] = ['a', 'b', 'c'].map((text) => digestOf(Buffer.from(text))) as [Digest, Digest, Digest];
const TAG: Tag = { registry: 'registry.lab:5000', repository: 'app', tag: 'v1', digest: A };
const TAG_REFERENCE = { registry: TAG.registry, repository: TAG.repository, tag: TAG.tag };
const TAG_KEY = 'registry.lab:5000/app:v1';
const WITHIN_MS = 5000;

/** A store whose events the test makes up, and a router that writes down what it is asked for. */
function start(options: AdvertiserOptions = {}, clock: Clock = systemClock) {
  const events: StoreEvent[] = [];
  let arrived = Promise.withResolvers<void>();
  const keys = new Set<string>();
  const calls: string[][] = [];
  const faults = { advertise: 0, watch: 0 };
  const here = new Set<string>();
  const stop = new AbortController();
  const advertiser: Advertiser = createAdvertiser(
    {
      logger: silentLogger,
      clock,
      isHere: async (key) => here.has(key),
      store: {
        references: (digest) => (digest === TAG.digest ? [TAG_REFERENCE] : []),
        async *watch(signal) {
          if (faults.watch-- > 0) throw new Error('The store is away');
          const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
          while (!signal.aborted) {
            yield* events.splice(0);
            arrived = Promise.withResolvers();
            if (events.length === 0) await Promise.race([arrived.promise, aborted]);
          }
        },
      },
      router: {
        async advertise(added) {
          calls.push([...added]);
          // Like the real one, it keeps what it could not announce yet.
          for (const key of added) keys.add(key);
          if (faults.advertise-- > 0) throw new Error('No peer answers');
        },
        async withdraw(removed) {
          for (const key of removed) keys.delete(key);
        },
      },
    },
    options,
  );
  const running = advertiser.run(stop.signal);
  const result = {
    advertiser,
    here,
    keys,
    calls,
    faults,
    emit: (...added: StoreEvent[]) => {
      events.push(...added);
      arrived.resolve();
    },
    holds: async (...expected: string[]) => {
      const endMs = performance.now() + WITHIN_MS;
      const isReached = () =>
        keys.size === expected.length &&
        expected.every((key) => keys.has(key)) &&
        total(advertiser) === expected.length;
      while (!isReached()) {
        if (performance.now() > endMs) expect([...keys].sort()).toEqual(expected.sort());
        await Bun.sleep(2);
      }
    },
    stop: async () => {
      stop.abort();
      await running;
    },
  };
  stops.push(result.stop);
  return result;
}

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map(async (stop) => stop()));
});

function total(advertiser: Advertiser): number {
  const { imageTags, contentDigests } = advertiser.counts();
  return [...imageTags.values(), ...contentDigests.values()].reduce((sum, count) => sum + count, 0);
}

function resync(tags: readonly Tag[], blobs: readonly Digest[]): StoreEvent {
  return { kind: 'resync', snapshot: { tags, blobs: new Set(blobs) } };
}

describe('createAdvertiser()', () => {
  test('advertises tags and blobs of the first resync in one call', async () => {
    const { emit, holds, calls } = start();
    emit(resync([TAG], [A, B]));
    await holds(TAG_KEY, A, B);
    expect(calls).toHaveLength(1);
  });

  test('follows single events', async () => {
    const { emit, holds } = start();
    emit(resync([], []), { kind: 'blob-added', digest: A }, { kind: 'tag-added', tag: TAG });
    await holds(TAG_KEY, A);
    emit({ kind: 'blob-removed', digest: A }, { kind: 'tag-removed', tag: TAG });
    await holds();
  });

  test('advertises a new blob within 100 ms', async () => {
    const { emit, holds } = start();
    emit(resync([], []));
    const startedMs = performance.now();
    emit({ kind: 'blob-added', digest: A });
    await holds(A);
    expect(performance.now() - startedMs).toBeLessThan(100);
  });

  test('sends what comes close together in one call', async () => {
    const { emit, holds, calls } = start({ batchDelayMs: 50 });
    for (const digest of [A, B, C]) emit({ kind: 'blob-added', digest });
    await holds(A, B, C);
    expect(calls).toHaveLength(1);
  });

  test('sends what comes all the time in few calls, and a new blob at once after a pause', async () => {
    const clock = createVirtualClock();
    const { emit, calls } = start({}, clock);
    const callsAfter = async (ms: number) => {
      const before = calls.length;
      await clock.advance(ms);
      return calls.length - before;
    };
    emit(resync([], []));
    for (let n = 0; n < 40; n++) {
      emit({ kind: 'blob-added', digest: digestOf(Buffer.from(`blob ${n}`)) });
      await clock.advance(10);
    }
    await clock.advance(200);
    expect(new Set(calls.flat()).size).toBe(40);
    expect(calls.length).toBeLessThan(8);
    emit({ kind: 'blob-added', digest: A });
    expect(await callsAfter(25)).toBe(1);
  });

  test('withdraws what a resync no longer names, and leaves the rest alone', async () => {
    const { emit, holds, calls } = start();
    emit(resync([TAG], [A, B]));
    await holds(TAG_KEY, A, B);
    emit(resync([], [B, C]));
    await holds(B, C);
    expect(calls.at(-1)).toEqual([C]);
  });

  test('advertises nothing twice when events repeat', async () => {
    const { emit, holds, calls } = start();
    emit({ kind: 'blob-added', digest: A });
    await holds(A);
    emit({ kind: 'blob-added', digest: A }, resync([], [A]), { kind: 'blob-added', digest: B });
    await holds(A, B);
    expect(calls).toEqual([[A], [B]]);
  });

  test('tries again when the router fails', async () => {
    const { emit, holds, calls, faults } = start();
    faults.advertise = 2;
    emit({ kind: 'blob-added', digest: A });
    await holds(A);
    expect(calls).toEqual([[A], [A], [A]]);
  });

  test('withdraws a key that the router could not announce', async () => {
    const { emit, holds, keys, faults } = start();
    faults.advertise = Number.POSITIVE_INFINITY;
    emit({ kind: 'blob-added', digest: A });
    while (!keys.has(A)) await Bun.sleep(2);
    emit({ kind: 'blob-removed', digest: A });
    await holds();
  });

  test('goes on when the store was away', async () => {
    const { emit, holds, faults } = start();
    faults.watch = 1;
    emit(resync([], [A]));
    await holds(A);
  });

  test('leaves out what the filter refuses', async () => {
    const { emit, holds } = start({ shouldAdvertise: (item) => item.kind === 'digest' && item.key !== B });
    emit(resync([TAG], [A, B]));
    await holds(A);
  });

  test('contentMissing() leaves a key alone that the store has after all', async () => {
    const { advertiser, here, emit, holds } = start();
    emit(resync([], [A, B]));
    await holds(A, B);
    here.add(A);
    advertiser.contentMissing(A);
    advertiser.contentMissing(B);
    await holds(A);
  });

  test('contentMissing() withdraws a key until the store names it again', async () => {
    const { advertiser, emit, holds } = start();
    emit(resync([], [A, B]));
    await holds(A, B);
    advertiser.contentMissing(A);
    advertiser.contentMissing(C);
    await holds(B);
    emit(resync([], [A, B]));
    await holds(A, B);
  });

  test('asks the filter again when an image of a digest changes, and when reconsider() is called', async () => {
    const allowed = new Set<string>([TAG_KEY]);
    const { advertiser, emit, holds } = start({ shouldAdvertise: ({ key }) => allowed.has(key) });
    emit(resync([TAG], [A, B]));
    await holds(TAG_KEY);
    allowed.add(A).add(B);
    emit({ kind: 'image-changed', name: TAG_KEY, digests: [A, C] });
    await holds(TAG_KEY, A);
    advertiser.reconsider(B);
    await holds(TAG_KEY, A, B);
    allowed.delete(A);
    emit({ kind: 'image-changed', name: TAG_KEY, digests: [A] });
    await holds(TAG_KEY, B);
  });

  test('counts() tells tags, image digests and content by registry', async () => {
    const { advertiser, emit, holds } = start();
    emit(resync([TAG], [A, B]));
    await holds(TAG_KEY, A, B);
    const { imageTags, imageDigests, contentDigests } = advertiser.counts();
    expect([...imageTags]).toEqual([[TAG.registry, 1]]);
    expect([...imageDigests]).toEqual([[TAG.registry, 1]]);
    expect(new Map(contentDigests)).toEqual(
      new Map([
        [TAG.registry, 1],
        ['', 1],
      ]),
    );
    expect(advertiser.tags()).toEqual([TAG]);
    emit({ kind: 'tag-removed', tag: TAG });
    await holds(A, B);
    expect(advertiser.tags()).toEqual([]);
  });

  test('ends when the signal aborts', async () => {
    const { stop, faults, emit } = start();
    faults.advertise = Number.POSITIVE_INFINITY;
    emit({ kind: 'blob-added', digest: A });
    await stop();
  });
});
