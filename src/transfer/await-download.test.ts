import { expect, test } from 'bun:test';

import { silentLogger } from '../observe/log.ts';
import { digestOf } from '../oci/digest.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { createMemoryStore } from '../store/memory-store.ts';
import { FLIGHT_ANSWER_HOLD_MS } from './budgets.ts';
import { awaitDownload } from './serve-download.ts';
import { createFlights } from '../flights/flights.ts';

const MANIFEST = Buffer.from('a manifest');
const digest = digestOf(MANIFEST);

test('a node that waits for a small download is told of its end well before it would have to ask again', async () => {
  await using store = await createMemoryStore();
  const clock = createVirtualClock();
  const flights = createFlights({
    network: {
      self: 'self',
      towersOf: () => [],
      ask: async () => ({ verdict: 'upstream' }),
      report: () => {},
      isThere: () => false,
      isPausing: () => false,
      zoneOf: () => undefined,
      peerOf: () => undefined,
      holdersOf: () => [],
      serve: () => {},
    },
    store,
    adoptsDownloads: false,
    clock,
    logger: silentLogger,
  });
  const stop = new AbortController();
  const running = flights.run(stop.signal);
  try {
    const { signal } = stop;
    flights.taken({ kind: 'manifest', digest, registry: 'r', repository: 'a', signal }, 'upstream');
    const download = await store.beginDownload(digest, { sizeBytes: MANIFEST.byteLength });
    const ends: { readonly said: string; readonly ms: number }[] = [];
    void awaitDownload({ flights, clock }, digest, signal).then((said) => {
      ends.push({ said, ms: clock.nowMs() });
    });
    await clock.advance(10);
    await download.grow(MANIFEST);
    await download.commit();
    for (let step = 0; step < 50 && ends.length === 0; step++) await clock.advance(10);
    expect(ends[0]?.said).toBe('over');
    expect(ends[0]?.ms).toBeLessThan(FLIGHT_ANSWER_HOLD_MS / 2);
  } finally {
    stop.abort();
    await running;
  }
});
