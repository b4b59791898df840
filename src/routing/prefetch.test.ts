import { describe, expect, test } from 'bun:test';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { createMemoryNetwork, createMemoryRouter } from './memory-router.ts';
import { createPrefetch } from './prefetch.ts';
import type { LookupOptions } from './router.ts';

function setUp() {
  const clock = createVirtualClock();
  const network = createMemoryNetwork({ clock, latencyMs: 10 });
  const [near, far] = [1, 2].map((id) =>
    createMemoryRouter(network, { id: `p${id}`, addresses: ['10.0.0.1'] }),
  );
  if (near === undefined || far === undefined) throw new Error('no routers');
  const stopped = new AbortController();
  const started: { readonly key: string; readonly options: LookupOptions }[] = [];
  const found: string[] = [];
  let ended = 0;
  const prefetch = createPrefetch(
    {
      clock,
      router: {
        async *lookup(key, options) {
          started.push({ key, options });
          for await (const peer of near.lookup(key, options)) {
            found.push(`${key} ${peer.id}`);
            yield peer;
          }
          ended++;
        },
      },
    },
    stopped.signal,
  );
  return { clock, network, far, stopped, prefetch, started, found, ended: () => ended };
}

describe('createPrefetch()', () => {
  test('looks all keys up at the same time, for one provider each', async () => {
    const { clock, far, prefetch, started, found, ended } = setUp();
    const advertised = far.advertise(['a', 'b']);
    await clock.advance(10);
    await advertised;
    prefetch(['a', 'b', 'nowhere']);
    expect(started.map(({ key, options }) => [key, options.limit])).toEqual([
      ['a', 1],
      ['b', 1],
      ['nowhere', 1],
    ]);
    await clock.advance(10);
    expect(found).toEqual(['a p2', 'b p2']);
    expect(ended()).toBe(3);
  });

  test('gives lookups up that take long, and all of them at the end', async () => {
    const { clock, network, prefetch, started, stopped } = setUp();
    network.latencyMs = 100_000;
    prefetch(['a']);
    await clock.advance(250);
    expect(started[0]?.options.signal.aborted).toBe(true);
    prefetch(['b']);
    stopped.abort();
    expect(started[1]?.options.signal.aborted).toBe(true);
    prefetch(['c']);
    expect(started).toHaveLength(2);
  });

  test('runs a bounded number of lookups at a time', async () => {
    const { clock, network, prefetch, started } = setUp();
    network.latencyMs = 100_000;
    const keys = Array.from({ length: 500 }, (_, index) => `key ${index}`);
    prefetch(keys);
    prefetch(keys);
    expect(started).toHaveLength(128);
    await clock.advance(250);
    prefetch(keys);
    expect(started).toHaveLength(256);
  });

  test('survives a lookup that fails', async () => {
    const prefetch = createPrefetch(
      {
        clock: createVirtualClock(),
        router: {
          // oxlint-disable-next-line require-yield -- it fails before it finds any
          async *lookup() {
            throw new Error('lookup failed');
          },
        },
      },
      new AbortController().signal,
    );
    prefetch(['a']);
    await new Promise(setImmediate);
  });
});
