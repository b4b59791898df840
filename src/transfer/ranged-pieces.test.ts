import { describe, expect, test } from 'bun:test';
import { silentLogger } from '../observe/log.ts';
import { digestOf } from '../oci/digest.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { createPieceHistory } from './piece-history.ts';
import { createRangedPieces } from './ranged-pieces.ts';
import { createPacedHolders, type PacedHolder } from './testing/paced-holders.ts';
import { createThroughputFloor } from './throughput-floor.ts';

const DIGEST = digestOf(Buffer.from('a'));
const MB = 1_000_000;
const BLOB_BYTES = 100 * MB;
/** 200 Mbit/s. */
const RATE = 25_000;

/** Gets the blob from the holders; `memoryBytes` is what pieces may take. */
async function get(
  holders: readonly PacedHolder[],
  {
    sizeBytes = BLOB_BYTES,
    memoryBytes = Infinity,
    isOwn = true,
    others = 0,
    ...links
  }: {
    readonly sizeBytes?: number;
    readonly memoryBytes?: number;
    readonly isOwn?: boolean;
    readonly others?: number;
    readonly clientBytesPerMs?: number;
    readonly linkBytesPerMs?: number;
  } = {},
) {
  const clock = createVirtualClock();
  const paced = createPacedHolders(clock, holders, links);
  let heldBytes = 0;
  const history = createPieceHistory(clock);
  for (let n = 0; n < others; n++) history.begin(DIGEST, 0);
  const floor = createThroughputFloor(clock);
  let pieceBytes = 0;
  const observer = {
    peerAsked: () => {},
    bytesMoved: () => {},
    pieceMoved: (bytes: number) => void (pieceBytes += bytes),
    lookupEnded: () => {},
  };
  const pieces = createRangedPieces(
    { clock, floor, logger: silentLogger, observer, pieces: history, blobs: paced.blobs },
    {
      digest: DIGEST,
      repository: 'a',
      registry: undefined,
      range: undefined,
      local: undefined,
      mayAskPeers: true,
      isOwn,
      async takeMemory(bytes) {
        if (heldBytes + bytes > memoryBytes) return undefined;
        heldBytes += bytes;
        return { [Symbol.dispose]: () => void (heldBytes -= bytes) };
      },
    },
    history.begin(DIGEST, 0),
  );
  const opened = paced.first(sizeBytes);
  const first = await paced.during(paced.move(opened, pieces.watch(opened)));
  const places = [0, 1, 2].map(() => history.goOnInPieces());
  const freePlaces = places.filter((place) => place !== undefined).length;
  for (const place of places) place?.[Symbol.dispose]();
  const switchedAt = first.how === 'cancelled' ? first.movedBytes : undefined;
  const rest = { start: paced.nextByte(), end: sizeBytes - 1 };
  const end = switchedAt === undefined ? undefined : await paced.during(pieces.run(rest, paced.move));
  pieces[Symbol.dispose]();
  await clock.advance(10);
  const { takenBytes } = paced;
  const ms = clock.nowMs();
  return {
    first,
    switchedAt,
    end,
    freePlaces,
    takenBytes,
    ms,
    heldBytes,
    pieceBytes,
    pieces,
    paced,
    history,
    rest,
  };
}

const even = (count: number, holder: PacedHolder = { bytesPerMs: RATE }) =>
  Array.from({ length: count }, () => holder);
const ALONE_MS = BLOB_BYTES / RATE;

describe('createRangedPieces() with holders that are slower than the client', () => {
  test('gets 100 MB from four in less than a third of the time of one, a part from each', async () => {
    const { end, ms, switchedAt, takenBytes, heldBytes, pieceBytes, paced } = await get(even(4));
    expect(end).toEqual({ how: 'complete' });
    expect(paced.nextByte()).toBe(BLOB_BYTES);
    expect(switchedAt).toBeLessThan(7 * MB);
    expect(pieceBytes).toBe(BLOB_BYTES - (switchedAt ?? 0));
    expect(ms).toBeLessThan(ALONE_MS / 3);
    for (const bytes of takenBytes) expect(bytes).toBeGreaterThan(15 * MB);
    // What is held is given back, and no part stays open.
    expect([heldBytes, paced.openParts()]).toEqual([0, 0]);
  });

  test('asks for no more than twelve pieces at a time', async () => {
    expect((await get(even(4))).paced.mostOpen()).toBeLessThanOrEqual(12);
  });

  test('asks for fewer where there is less memory', async () => {
    const { end, paced } = await get(even(4), { memoryBytes: 4 * 1024 * 1024 });
    expect(end).toEqual({ how: 'complete' });
    expect(paced.mostOpen()).toBeLessThanOrEqual(4);
  });

  test('gives a holder of half the rate half as much', async () => {
    const { ms, takenBytes } = await get([...even(2), { bytesPerMs: RATE / 2 }]);
    expect(ms).toBeLessThan(ALONE_MS / 2);
    expect(takenBytes[2]).toBeGreaterThan(10 * MB);
    expect(takenBytes[2]).toBeLessThan(25 * MB);
  });

  test('is not held up by a holder of a fiftieth of the rate', async () => {
    const { ms, takenBytes } = await get([...even(3), { bytesPerMs: RATE / 50 }]);
    expect(ms).toBeLessThan(ALONE_MS / 2);
    expect(takenBytes[3]).toBeLessThan(2 * MB);
  });

  test.each<[string, PacedHolder]>([
    ['fails', { bytesPerMs: RATE, failsAtMs: 700 }],
    ['hangs', { bytesPerMs: RATE, hangsAtMs: 700 }],
  ])('goes on at the byte where one %s', async (_name, broken) => {
    const { end, ms, pieces, paced } = await get([...even(2), broken]);
    expect(end).toEqual({ how: 'complete' });
    expect(paced.nextByte()).toBe(BLOB_BYTES);
    expect(pieces.replaced).toBe(1);
    expect(ms).toBeLessThan(ALONE_MS * 0.7);
  });

  test('gives the rest back to the caller when all of them fail', async () => {
    const { end, paced, heldBytes } = await get(even(3, { bytesPerMs: RATE, failsAtMs: 700 }));
    expect(end).toEqual({ how: 'one-source', next: undefined });
    expect(paced.nextByte()).toBeGreaterThan(10 * MB);
    expect([heldBytes, paced.openParts()]).toEqual([0, 0]);
  });
});

describe('createRangedPieces() goes on with one source', () => {
  test('when the link of this node is what bounds them, and remembers that', async () => {
    const { end, paced, history } = await get(even(4), { linkBytesPerMs: RATE });
    expect(end?.how).toBe('one-source');
    expect(end?.how === 'one-source' && end.next?.range).toEqual({
      start: paced.nextByte(),
      end: BLOB_BYTES - 1,
    });
    expect(history.mayHelp(RATE * 1000)).toBe(false);
  });

  test.each<[string, readonly PacedHolder[], Parameters<typeof get>[1]]>([
    ['when its client is slower', even(4), { clientBytesPerMs: RATE / 2 }],
    ['when nobody else has it', even(1), {}],
    ['of a source that is fast enough', even(4, { bytesPerMs: 300_000 }), { sizeBytes: 400 * MB }],
    ['of a body that is not long', even(4), { sizeBytes: 15 * MB }],
    ['for a client that asks for other ranges itself', even(4), { others: 1 }],
    ['when there is no memory for pieces', even(4), { memoryBytes: 0 }],
    ['for another client than its own', even(4), { isOwn: false }],
  ])('%s: never begins', async (_name, holders, options) => {
    const { first, switchedAt, freePlaces } = await get(holders, options);
    expect(first.how).toBe('complete');
    expect(switchedAt).toBeUndefined();
    expect(freePlaces).toBe(3);
  });
});
