import { describe, expect, test } from 'bun:test';
import { createPieceHolders, type HolderWork, type PieceHolder } from './piece-holders.ts';

const PIECE_BYTES = 1000;
/** A piece in 10 ms. */
const BYTES_PER_SECOND = 100_000;
const PIECE_MS = 10;

/** Holders h1, h2, … that gave so many bytes per ms in the last second, while they had something to give. */
function holdersOf(rates: readonly number[]) {
  let nowMs = 0;
  const holders = createPieceHolders({
    nowMs: () => nowMs,
    pieceBytes: PIECE_BYTES,
    bytesPerSecond: BYTES_PER_SECOND,
  });
  for (const n of rates.keys()) {
    holders.add({ peer: { id: `h${n + 1}`, addresses: [] }, host: `10.0.0.${n + 1}` });
  }
  const rateOf = (holder: PieceHolder) => rates[holders.all.indexOf(holder)] ?? 0;
  for (nowMs = 0; nowMs <= 1000; nowMs += 100) {
    holders.look((holder) => ({
      pieces: 2,
      comingPieces: 2,
      missingBytes: 2 * PIECE_BYTES,
      cameBytes: nowMs * rateOf(holder),
    }));
  }
  return holders;
}

const work = (pieces: number, missingBytes = pieces * PIECE_BYTES): HolderWork => ({
  pieces,
  comingPieces: Math.ceil(missingBytes / PIECE_BYTES),
  missingBytes,
  cameBytes: 0,
});

/** Gives out pieces that never come, until no holder gets one; how many each got. */
function giveOut(holders: ReturnType<typeof createPieceHolders>): number[] {
  const given = new Map<PieceHolder, number>();
  const workOf = (holder: PieceHolder) => work(given.get(holder) ?? 0);
  for (let next = holders.next(workOf); next !== undefined; next = holders.next(workOf)) {
    given.set(next, (given.get(next) ?? 0) + 1);
  }
  return holders.all.map((holder) => given.get(holder) ?? 0);
}

describe('next() of createPieceHolders()', () => {
  test.each<[string, readonly number[], readonly number[]]>([
    ['one gives, and one waits, at each of even holders', [100, 100, 100, 100], [2, 2, 2, 2]],
    ['a holder of half the rate helps', [100, 100, 50], [2, 2, 2]],
    ['a holder of a tenth of the rate would be late', [100, 100, 10], [2, 2, 0]],
    ['holders that are all slow are even', [1, 1], [2, 2]],
    ['a holder alone', [100], [2]],
  ])('%s', (_name, rates, pieces) => {
    expect(giveOut(holdersOf(rates))).toEqual([...pieces]);
  });

  test('gives a holder that has not given anything a first piece', () => {
    const holders = holdersOf([100]);
    holders.add({ peer: { id: 'new', addresses: [] }, host: '10.0.0.9' });
    const [known, fresh] = holders.all;
    expect(holders.next((holder) => work(holder === known ? 2 : 0))).toBe(fresh as PieceHolder);
  });

  test('gives no more to a holder with four pieces, also if they have come', () => {
    expect(holdersOf([100]).next(() => work(4, 0))).toBeUndefined();
    expect(holdersOf([100]).next(() => work(3, 0))).toBeDefined();
  });

  test('gives nothing to a holder that is out', () => {
    const holders = holdersOf([100, 50]);
    for (const holder of holders.all.slice(0, 1)) holder.isOut = true;
    expect(giveOut(holders)).toEqual([0, 2]);
    expect(holders.best()?.peer.id).toBe('h2');
    expect(holders.best(holders.all[1])).toBeUndefined();
  });
});

describe('look() of createPieceHolders()', () => {
  const after = (pieces: HolderWork, cameBytes: number): number => {
    let nowMs = 0;
    const holders = createPieceHolders({
      nowMs: () => nowMs,
      pieceBytes: PIECE_BYTES,
      bytesPerSecond: BYTES_PER_SECOND,
    });
    holders.add({ peer: { id: 'h1', addresses: [] }, host: '10.0.0.1' });
    const [holder] = holders.all;
    if (holder === undefined) throw new Error('There is no holder');
    holders.look(() => pieces);
    nowMs = 1000;
    holders.look(() => ({ ...pieces, cameBytes }));
    return Math.round(holders.pieceMs(holder));
  };

  test('tells how long a piece takes from what came while pieces were missing', () => {
    expect(after(work(2), 10_000)).toBe(100);
    expect(after(work(2), 1_000_000)).toBe(1);
  });

  test('does not take a holder for slow that has given what it was asked for, or all that there is room for', () => {
    expect(after(work(2, 0), 0)).toBe(PIECE_MS);
    expect(after({ ...work(2), comingPieces: 2, missingBytes: 0.8 * PIECE_BYTES }, 0)).toBe(PIECE_MS);
  });
});
