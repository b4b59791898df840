import { expect, test } from 'bun:test';

import { silentLogger } from '../observe/log.ts';
import { digestOf } from '../oci/digest.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { createMemoryStore } from '../store/memory-store.ts';
import type { FlightHandler } from './flight-network.ts';
import { createFlights } from './flights.ts';

const BLOB = Buffer.from('a layer of an image');
const digest = digestOf(BLOB);
const other = digestOf(Buffer.from('another layer'));
const peerOf = (name: string) => ({ id: `id of ${name}`, addresses: [`address of ${name}`] });

/** A node that is the only tower, and whose flights run until the test is over. */
async function start() {
  const stack = new AsyncDisposableStack();
  const store = stack.use(await createMemoryStore());
  const clock = createVirtualClock();
  const stop = new AbortController();
  const served: FlightHandler[] = [];
  const flights = createFlights({
    network: {
      self: 'self',
      towersOf: () => ['self'],
      ask: async () => ({ verdict: 'upstream' }),
      report: () => {},
      isThere: (name) => name !== 'gone',
      isPausing: () => false,
      zoneOf: () => undefined,
      peerOf: (name) => (name === 'gone' ? undefined : peerOf(name)),
      holdersOf: () => [],
      serve: (handler) => void served.push(handler),
    },
    store,
    adoptsDownloads: false,
    clock,
    logger: silentLogger,
  });
  const running = flights.run(stop.signal);
  stack.defer(async () => {
    stop.abort();
    await running;
  });
  const { signal } = stop;
  const request = { kind: 'blob', digest, registry: 'r', repository: 'a', signal } as const;
  return { stack, store, clock, flights, request, tower: served[0] };
}

test('report() shows from where this node downloads what, how much is there, and how many nodes follow', async () => {
  const { stack, store, clock, flights, request } = await start();
  await using _ = stack;
  flights.taken(request, { name: 'A', leader: undefined });
  flights.taken({ ...request, digest: other }, 'upstream');
  const download = await store.beginDownload(digest, { sizeBytes: BLOB.byteLength });
  await download.grow(BLOB.subarray(0, 7));
  await clock.advance(10);
  const own = {
    digest,
    registry: 'r',
    repository: 'a',
    role: 'child',
    parent: peerOf('A'),
    writtenBytes: 7,
    sizeBytes: BLOB.byteLength,
    readers: 0,
    isStuck: false,
    towers: [peerOf('self')],
  };
  expect(flights.report().downloads).toMatchObject([own, { digest: other, role: 'root', writtenBytes: 0 }]);
  expect(flights.count()).toEqual({ root: 1, child: 1 });

  const followed = flights.follow(digest);
  if (typeof followed !== 'object') throw new Error('There is nothing to follow');
  const ends = [followed.subscribe(() => {}), followed.subscribe(() => {})];
  const readers = () => flights.report(digest).downloads.map((each) => each.readers);
  expect(readers()).toEqual([2]);
  for (const end of ends) end();
  expect(readers()).toEqual([0]);

  await download.grow(BLOB.subarray(7));
  await download.commit();
  for (let step = 0; step < 50 && flights.count().child > 0; step++) await clock.advance(10);
  expect(flights.report(digest)).toMatchObject({ downloads: [], towers: [peerOf('self')] });
});

/** A node that leads an image with the layer, and has begun to download that. */
async function lead() {
  const started = await start();
  const { store, clock, flights, request } = started;
  const layers = [digest, other].map((each) => ({
    mediaType: 'application/x',
    digest: each,
    size: BLOB.byteLength,
  }));
  const image = { schemaVersion: 2, layers };
  const manifest = Buffer.from(JSON.stringify(image));
  flights.taken({ ...request, kind: 'manifest', digest: digestOf(manifest) }, 'upstream');
  await store.addBlob(manifest);
  await clock.advance(500);
  const leads = flights.isUrgent(request);
  flights.taken(request, 'upstream');
  const download = await store.beginDownload(digest, { sizeBytes: BLOB.byteLength });
  await download.grow(BLOB.subarray(0, 7));
  await clock.advance(10);
  return { ...started, leads, download };
}

test('a node whose pull is given up does not lead the image any more: when it pulls again, it waits like others', async () => {
  const { stack, clock, flights, request, leads, download } = await lead();
  await using _ = stack;
  expect([leads, flights.isUrgent(request)]).toEqual([true, true]);
  download.giveUp();
  for (let step = 0; step < 50 && flights.count().root > 0; step++) await clock.advance(100);
  expect([flights.count().root, flights.isUrgent(request)]).toEqual([0, false]);
});

test('a node that downloads too slowly for others does not lead the image any more, and says so', async () => {
  const { stack, clock, flights, request } = await lead();
  await using _ = stack;
  const toCome = () => [flights.follow(other), flights.isGivenUp(other), flights.isUrgent(request)];
  expect(toCome()).toEqual(['waiting', false, true]);
  // Nothing has come for so long.
  await clock.advance(5000);
  expect(toCome()).toEqual([undefined, true, false]);
});

test('a later range waits for as long as it takes, also at a node that leads the image, and nothing else does', async () => {
  const { stack, flights, request } = await lead();
  await using _ = stack;
  const isUrgent = () => [flights.isUrgent(request), flights.isUrgent({ ...request, isLater: true })];
  flights.taken(request, { name: 'A', leader: undefined });
  expect(isUrgent()).toEqual([true, true]);
  flights.taken({ ...request, isInRanges: true }, { name: 'A', leader: undefined });
  expect(isUrgent()).toEqual([true, false]);
});

test('a node that has a layer leads the image on', async () => {
  const { stack, clock, flights, request, download } = await lead();
  await using _ = stack;
  await download.grow(BLOB.subarray(7));
  await download.commit();
  for (let step = 0; step < 50 && flights.count().root > 0; step++) await clock.advance(10);
  expect([flights.count().root, flights.isUrgent(request)]).toEqual([0, true]);
});

test('report() shows the trees that this node keeps, those of one digest if it is given', async () => {
  const { stack, flights, tower } = await start();
  await using _ = stack;
  const question = { digest, leader: undefined, bad: [], full: [] };
  expect(tower?.ask('A', question)).toEqual({ verdict: 'upstream' });
  tower?.ask('gone', question);
  tower?.ask('B', { ...question, digest: other });
  const tree = {
    digest,
    nodes: [
      { ...peerOf('A'), parent: undefined, role: 'root', hasBegun: false, depth: 0, children: 1 },
      {
        id: 'gone',
        addresses: [],
        parent: 'id of A',
        role: 'child',
        hasBegun: false,
        depth: 1,
        children: 0,
      },
    ],
  };
  expect(flights.report(digest).flights).toEqual([tree]);
  expect(flights.report().flights.map((each) => each.digest)).toEqual([digest, other]);
});
