import { describe, expect, test } from 'bun:test';

import { silentLogger } from '../observe/log.ts';
import { digestOf } from '../oci/digest.ts';
import { createZoneOutages } from '../routing/zone-outages.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import type { FlightAnswer } from './flight-messages.ts';
import { askForLeader, createFlightSeat } from './flight-seat.ts';

const digest = digestOf(Buffer.from('layer'));
const TIMEOUT_MS = 400;
const LATE_MS = 100;

/** What a tower answers, and after how many ms; undefined: nothing. */
type Says = readonly [answer: FlightAnswer, ms: number] | undefined;

const take = (from: string): FlightAnswer => ({ verdict: 'take', from, leader: undefined });
const UPSTREAM: FlightAnswer = { verdict: 'upstream' };

function setUp(towers: Readonly<Record<string, Says>>, zones: Readonly<Record<string, string>> = {}) {
  const clock = createVirtualClock();
  const outages = createZoneOutages(clock);
  const asked: [tower: string, atMs: number][] = [];
  const deps = {
    network: {
      self: 'self',
      towersOf: (_digest: string, count: number) => Object.keys(towers).slice(0, count),
      async ask(tower: string, _question: unknown, signal: AbortSignal): Promise<FlightAnswer> {
        asked.push([tower, clock.nowMs()]);
        const says = towers[tower];
        await clock.sleep(says?.[1] ?? 1_000_000, signal);
        return says?.[0] ?? UPSTREAM;
      },
      peerOf: (name: string) => ({ id: name, addresses: [name] }),
      zoneOf: (name: string) => zones[name],
    },
    tower: { ask: () => UPSTREAM },
    outages,
    clock,
    logger: silentLogger,
  };
  const timed = async <T>(work: Promise<T>): Promise<[T, number]> => {
    const ends: number[] = [];
    void work.then(() => ends.push(clock.nowMs()));
    await clock.advance(0);
    for (let ms = 0; ms < 2000 && ends.length === 0; ms += 10) await clock.advance(10);
    return [await work, ends[0] ?? Infinity];
  };
  const next = async () => {
    const seat = createFlightSeat(deps, {
      digest,
      leader: async () => undefined,
      towerTimeoutMs: TIMEOUT_MS,
      signal: new AbortController().signal,
    });
    const [got, ms] = await timed(seat.next());
    return [typeof got === 'object' ? got.name : got, ms];
  };
  const leader = async () => timed(askForLeader(deps, { digest, bad: [], towerTimeoutMs: TIMEOUT_MS }));
  return { asked, next, leader, outages };
}

describe('createFlightSeat()', () => {
  test('asks the closest tower alone while that answers', async () => {
    const { next, asked } = setUp({ A: [take('X'), 40], B: [take('Y'), 0] });
    expect(await next()).toEqual(['X', 40]);
    expect(asked).toEqual([['A', 0]]);
  });

  test('takes the node that the next tower names when the closest one is late', async () => {
    const { next, asked } = setUp({ A: undefined, B: [take('Y'), 10] });
    expect(await next()).toEqual(['Y', LATE_MS + 10]);
    expect(asked).toEqual([
      ['A', 0],
      ['B', LATE_MS],
    ]);
  });

  test.each<[string, Says, string, number]>([
    ['answers after all', [take('X'), 300], 'X', 300],
    ['does not answer', undefined, 'upstream', TIMEOUT_MS],
  ])('goes upstream by the word of the next tower only when the closest one %s', async (_, says, got, ms) => {
    const { next } = setUp({ A: says, B: [UPSTREAM, 10] });
    expect(await next()).toEqual([got, ms]);
  });

  test('takes the answer of the closest tower when the next one is later still, or silent', async () => {
    for (const second of [undefined, [take('Y'), 300]] satisfies Says[]) {
      const { next } = setUp({ A: [take('X'), 150], B: second });
      expect(await next()).toEqual(['X', 150]);
    }
  });

  test('does not wait for towers of a zone that seems to be cut off', async () => {
    const { next, leader, outages, asked } = setUp({ A: undefined, B: [take('Y'), 10] }, { A: 'a', B: 'b' });
    for (const node of ['n1', 'n2']) outages.silent('a', node, { waitedMs: 100 });
    expect(await next()).toEqual(['Y', 10]);
    expect(await leader()).toEqual([undefined, 20]);
    expect(asked.map(([tower]) => tower)).toEqual(['A', 'B', 'A', 'B']);
  });

  test('finds that a zone is cut off when both towers are in it and late, and gives up on it', async () => {
    const { next, outages } = setUp({ A: undefined, B: undefined }, { A: 'a', B: 'a' });
    expect(await next()).toEqual([undefined, 2 * LATE_MS]);
    expect(outages.isCut('a')).toBe(true);
    expect(await next()).toEqual([undefined, 2 * LATE_MS]);
  });

  test('does not give up on a zone because its towers are busy when several layers are asked for at once', async () => {
    const { next, outages } = setUp({ A: [take('X'), 190], B: [take('X'), 190] }, { A: 'a', B: 'a' });
    outages.silent('a', 'n1', { waitedMs: 100, mayBeBusy: true });
    expect(await next()).toEqual(['X', 190]);
    expect(outages.isCut('a')).toBe(false);
  });

  test('believes in the zone of a tower again that answers after all', async () => {
    const { next, outages } = setUp({ A: [take('X'), 150], B: undefined }, { A: 'a', B: 'a' });
    expect(await next()).toEqual(['X', 150]);
    outages.silent('a', 'n1', { waitedMs: 0 });
    expect(outages.isCut('a')).toBe(false);
  });

  test('is without an answer when no tower gives one, little later than one tower may take', async () => {
    const { next } = setUp({ A: undefined, B: undefined });
    expect(await next()).toEqual([undefined, LATE_MS + TIMEOUT_MS]);
  });
});

test('askForLeader() asks one tower after the other: two would name two leaders', async () => {
  const { leader, asked } = setUp({ A: undefined, B: [{ verdict: 'led', leader: 'X' }, 10] });
  expect(await leader()).toEqual(['X', TIMEOUT_MS + 10]);
  expect(asked).toEqual([
    ['A', 0],
    ['B', TIMEOUT_MS],
  ]);
});
