import { describe, expect, test } from 'bun:test';

import type { Assigned } from '../flights/flight-seat.ts';
import { PeerRequestError } from '../http/transport.ts';
import { silentLogger } from '../observe/log.ts';
import { digestOf } from '../oci/digest.ts';
import { createZoneOutages } from '../routing/zone-outages.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { FLIGHT_HOLD_QUEUED_MS, FLIGHT_RESTART_BYTES, FLIGHT_WAITING_PAUSE_MS } from './budgets.ts';
import { createFlightSources } from './flight-sources.ts';
import type { Refusal } from './peer-requests.ts';
import type { TransferFlight } from '../observe/transfer-log.ts';
import type { FlightOutcome } from './transfer-observer.ts';

const assigned = (name: string, leader?: string): Assigned => ({
  name,
  peer: { id: `id of ${name}`, addresses: [`address of ${name}`] },
  leader,
});
const zoned = (name: string, zone: string): Assigned => {
  const { peer, ...rest } = assigned(name);
  return { ...rest, peer: { ...peer, zone } };
};
/** What --flights-max-hold is by default. */
const MAX_HOLD_MS = 25_000;
type Said =
  | { readonly bytes: string; readonly isGrowing: boolean; readonly origin: string }
  | Refusal
  | Error;

/**
 * A request whose tower names these nodes one after the other, those that were called bad left out. `says`: what a node
 * answers each time that it is asked, the last answer again and again.
 */
function start(
  towers: readonly (Assigned | 'upstream' | undefined)[],
  says: Readonly<Record<string, readonly Said[]>>,
  {
    isUrgent = false,
    holdsMs = 400,
    flightsMaxHoldMs = MAX_HOLD_MS,
    skipped = '',
    isPausing = false,
    leads = false,
  }: {
    readonly isUrgent?: boolean;
    readonly holdsMs?: number;
    readonly flightsMaxHoldMs?: number;
    /** A node that was slow a moment ago. */
    readonly skipped?: string;
    readonly isPausing?: boolean;
    readonly leads?: boolean;
  } = {},
) {
  const clock = createVirtualClock();
  const outages = createZoneOutages(clock);
  const client = new AbortController();
  const bad = new Set<string>();
  const full = new Set<string>();
  const seen = {
    asked: [] as string[],
    taken: [] as string[],
    outcomes: [] as FlightOutcome[],
    heldMs: [] as (number | undefined)[],
    flight: undefined as TransferFlight | undefined,
    failed: [] as string[],
    lost: [] as string[],
    gone: [] as string[],
  };
  const sources = createFlightSources(
    {
      outages,
      flights: {
        asks: () => ({ [Symbol.dispose]() {} }),
        isUrgent: () => isUrgent,
        leads: () => leads,
        mayComeBack: () => isPausing,
        left: () => {},
        lost: (_request, name) => void seen.lost.push(name),
        seat: () => ({
          async next() {
            const left = towers.filter((tower) => typeof tower !== 'object' || !bad.has(tower.name));
            return left.find((tower) => typeof tower !== 'object' || !full.has(tower.name)) ?? left[0];
          },
          bad: (name) => void bad.add(name),
          gone(name) {
            bad.add(name);
            seen.gone.push(name);
          },
          full: (name) => void full.add(name),
          lags: async () => false,
        }),
        taken: (_request, from) => void seen.taken.push(typeof from === 'string' ? from : 'peer'),
      },
      health: {
        failed: (peer) => void seen.failed.push(peer.id),
        skips: ({ id }) => id === `id of ${skipped}`,
      },
      observer: {
        flightEnded(outcome, heldMs) {
          seen.outcomes.push(outcome);
          seen.heldMs.push(heldMs);
        },
      },
      clock,
      logger: silentLogger,
    },
    {
      flightsMaxHoldMs,
      onFlight(flight) {
        seen.flight = flight;
      },
    },
    {
      kind: 'blob',
      digest: digestOf(Buffer.from('layer')),
      registry: 'r',
      repository: 'a',
      signal: client.signal,
    },
  );
  const turns = new Map<string, number>();
  const ask = async (host: string) => {
    const name = host.replace('address of ', '');
    seen.asked.push(name);
    const answers = says[name] ?? ['absent'];
    const turn = turns.get(name) ?? 0;
    turns.set(name, turn + 1);
    const answer = answers[Math.min(turn, answers.length - 1)] ?? 'absent';
    // A node that waits holds the request for a while.
    if (answer === 'waiting' || answer === 'queued') await clock.sleep(holdsMs);
    if (answer instanceof Error) throw answer;
    return answer;
  };
  /** The answer once the time is over, and how long it took, in ms. */
  const run = async (how: Parameters<typeof sources.ask>[1] = { replacing: false }) => {
    const ends: { readonly got: string; readonly ms: number }[] = [];
    void sources.ask(ask, how).then((got) => {
      ends.push({ got: typeof got === 'object' ? got.answer.bytes : String(got), ms: clock.nowMs() });
    });
    for (let step = 0; step < 600 && ends.length === 0; step++) await clock.advance(50);
    return ends[0];
  };
  return { run, seen, sources, client, clock, outages };
}

const growing = { bytes: 'growing', isGrowing: true, origin: '10.0.0.1' };
const whole = { bytes: 'whole', isGrowing: false, origin: '10.0.0.1' };
const refused = new PeerRequestError('CONNECT_FAILED', 'refused');
const stopped = new PeerRequestError('HEAD_TIMEOUT', 'stopped');

describe('createFlightSources()', () => {
  test('takes it from the node that the tower names', async () => {
    const { run, seen } = start([assigned('A')], { A: [growing] });
    expect((await run())?.got).toBe('growing');
    expect([seen.taken, seen.outcomes]).toEqual([['peer'], ['growing']]);
  });

  test('asks a node that is about to download it again, and waits', async () => {
    const { run, seen } = start([assigned('A')], { A: ['waiting', 'waiting', growing] });
    expect((await run())?.got).toBe('growing');
    expect(seen.asked).toEqual(['A', 'A', 'A']);
  });

  test('does not ask a node that was slow a moment ago', async () => {
    const towers = [assigned('A'), assigned('B')];
    const { run, seen } = start(towers, { A: [whole], B: [whole] }, { skipped: 'A' });
    expect((await run())?.got).toBe('whole');
    expect(seen.asked).toEqual(['B']);
  });

  test('does not ask a node of a zone that seems to be cut off', async () => {
    const { run, seen, outages } = start([zoned('A', 'a'), zoned('B', 'b')], { A: [whole], B: [whole] });
    for (const node of ['n1', 'n2']) outages.silent('a', node, { waitedMs: 100 });
    expect((await run())?.got).toBe('whole');
    expect([seen.asked, seen.gone, outages.isCut('a')]).toEqual([['B'], ['A'], true]);
  });

  test('finds that a zone is cut off when nodes of it take no connection', async () => {
    const silent = new PeerRequestError('CONNECT_TIMEOUT', 'silent');
    const towers = [zoned('A', 'a'), zoned('B', 'a'), zoned('C', 'a'), zoned('D', 'b')];
    const { run, seen, outages } = start(towers, { A: [silent], B: [silent], C: [whole], D: [whole] });
    expect((await run())?.got).toBe('whole');
    expect([seen.asked, seen.gone]).toEqual([
      ['A', 'B', 'D'],
      ['A', 'B', 'C'],
    ]);
    outages.heard('a');
    expect(outages.isCut('a')).toBe(false);
  });

  test('does not ask a node that waits as fast as it answers', async () => {
    const { run, seen } = start([assigned('A')], { A: ['queued'] }, { holdsMs: 1, isUrgent: true });
    expect((await run())?.got).toBe('undefined');
    expect(seen.asked.length).toBeLessThanOrEqual(FLIGHT_HOLD_QUEUED_MS / FLIGHT_WAITING_PAUSE_MS + 1);
  });

  test.each([
    ['that only waits', false, MAX_HOLD_MS, MAX_HOLD_MS],
    ['sooner when so set', false, 5000, 5000],
    ['while own downloads have not begun', true, MAX_HOLD_MS, FLIGHT_HOLD_QUEUED_MS],
    ['no later than set, while own downloads have not begun', true, 100, 100],
  ])('gives up a node %s', async (_, isUrgent, flightsMaxHoldMs, holdMs) => {
    const { run, seen } = start(
      [assigned('A')],
      { A: [isUrgent ? 'queued' : 'waiting'] },
      { isUrgent, flightsMaxHoldMs },
    );
    const end = await run();
    expect([end?.got, seen.outcomes]).toEqual(['undefined', ['late']]);
    expect(end?.ms).toBeGreaterThanOrEqual(holdMs);
    expect(end?.ms).toBeLessThan(holdMs + 1000);
  });

  test.each<readonly [string, Said, boolean]>([
    ['does not have it', 'absent', true],
    ['is wrong', 'wrong', false],
    ['does not answer', stopped, true],
    ['cannot be reached, for a short rest', refused, false],
  ])('goes on to the next node when one %s', async (_, said, isLost) => {
    const { run, seen } = start([assigned('A'), assigned('B')], { A: [said], B: [whole] });
    expect((await run())?.got).toBe('whole');
    expect([seen.asked, seen.outcomes, seen.lost.length > 0]).toEqual([['A', 'B'], ['holder'], isLost]);
  });

  test.each<readonly [string, Said, readonly string[]]>([
    ['that cannot be reached', new PeerRequestError('CONNECT_TIMEOUT', 'nobody is there'), ['A']],
    ['that is stopped', stopped, []],
    ['that does not have it', 'absent', []],
  ])('says of a node %s whether its zone may be cut off', async (_, said, gone) => {
    const { run, seen } = start([assigned('A'), assigned('B')], { A: [said], B: [whole] });
    expect((await run())?.got).toBe('whole');
    expect(seen.gone).toEqual([...gone]);
  });

  test('gives the leader of the image a moment to ask for the layer itself', async () => {
    const { run, seen } = start([assigned('A', 'A')], { A: ['absent', 'absent', 'waiting', growing] });
    expect((await run())?.got).toBe('growing');
    expect(seen.asked).toHaveLength(4);
  });

  test('does not wait for a leader that says that it has given the image up', async () => {
    const { run, seen } = start([assigned('A', 'A'), assigned('B')], { A: ['given-up'], B: [growing] });
    expect(await run()).toEqual({ got: 'growing', ms: 0 });
    expect([seen.asked, seen.lost]).toEqual([['A', 'B'], ['A']]);
  });

  test('asks another node when one is busy, and the same one again when there is no other', async () => {
    const two = start([assigned('A'), assigned('B')], { A: ['busy', growing], B: [whole] });
    expect((await two.run())?.got).toBe('whole');
    const alone = start([assigned('A')], { A: ['busy', growing] });
    expect((await alone.run())?.got).toBe('growing');
    expect([alone.seen.asked, alone.seen.lost]).toEqual([['A', 'A'], []]);
  });

  test('waits for a mirror that is being restarted when much is left, and else does not', async () => {
    const towers = [assigned('A'), assigned('B')];
    const says = { A: [refused, refused, growing], B: [whole] };
    const long = start(towers, says);
    expect((await long.run({ replacing: true, leftBytes: FLIGHT_RESTART_BYTES }))?.got).toBe('growing');
    const short = start(towers, says);
    expect((await short.run({ replacing: true, leftBytes: FLIGHT_RESTART_BYTES - 1 }))?.got).toBe('whole');
  });

  test.each([
    ['that has said goodbye longer', true, 'growing'],
    ['that is lost no longer', false, 'whole'],
  ])('waits for a mirror %s', async (_, isPausing, got) => {
    const away = Array.from({ length: 30 }, () => refused);
    const { run } = start(
      [assigned('A'), assigned('B')],
      { A: [...away, growing], B: [whole] },
      { isPausing },
    );
    expect((await run({ replacing: true, leftBytes: FLIGHT_RESTART_BYTES }))?.got).toBe(got);
  });

  test.each<readonly [string, readonly Said[], string, readonly string[]]>([
    ['waits itself', [growing, 'waiting', growing], 'growing', ['A', 'A', 'A']],
    ['has given it up', [growing, 'absent'], 'whole', ['A', 'A', 'B']],
    ['does not answer', [growing, stopped], 'whole', ['A', 'A', 'B']],
  ])('asks a node whose body stood still again before the tower: it %s', async (_, says, got, asked) => {
    const towers = [assigned('A'), assigned('B')];
    const { run, seen } = start(towers, { A: says, B: [whole] });
    await run();
    // The tower would send this request elsewhere.
    towers.reverse();
    expect((await run({ replacing: true }))?.got).toBe(got);
    expect(seen.asked).toEqual([...asked]);
  });

  test('leaves a node that waits when others are far ahead of it', async () => {
    const { run, seen } = start([assigned('A'), assigned('B')], { A: ['waiting'], B: [whole] });
    let questions = 0;
    const isBehind = async ({ name }: Assigned) => name === 'A' && ++questions === 3;
    expect((await run({ replacing: true, isBehind }))?.got).toBe('whole');
    expect([seen.asked, seen.lost]).toEqual([['A', 'A', 'A', 'B'], []]);
  });

  test('a leader whose body stood still asks the tower, again and again: it may be the root by now', async () => {
    const towers: (Assigned | 'upstream')[] = [assigned('B')];
    const { run, seen, clock } = start(towers, { A: ['waiting'], B: [growing] }, { leads: true });
    await run();
    towers[0] = assigned('A');
    void clock.sleep(4000).then(() => (towers[0] = 'upstream'));
    const end = await run({ replacing: true });
    expect([end?.got, seen.asked.slice(0, 2)]).toEqual(['upstream', ['B', 'A']]);
    expect(end?.ms).toBeLessThan(8000);
  });

  test.each([
    ['upstream', 'upstream'],
    [undefined, 'silent'],
  ] as const)('says what the tower says: %s', async (said, outcome) => {
    const { run, seen } = start([said], {});
    expect((await run())?.got).toBe(String(said));
    expect([seen.outcomes, seen.taken]).toEqual([[outcome], []]);
  });

  test('tells which node gave it, as what, and how long the request was held', async () => {
    const child = start([assigned('A')], { A: ['waiting', 'waiting', growing] });
    await child.run();
    const parent = { origin: '10.0.0.1', peer: 'id of A' };
    expect(child.seen.flight).toEqual({ role: 'child', parent, heldMs: 800, aside: undefined });
    expect(child.seen.heldMs).toEqual([800]);
    const holder = start([assigned('A')], { A: [whole] });
    await holder.run();
    expect(holder.seen.flight).toEqual({ role: 'holder', parent, heldMs: 0, aside: undefined });
  });

  test('adds what a request waited in mid-body, which is not the time to its first byte', async () => {
    const { run, seen } = start([assigned('A')], { A: ['waiting', growing, 'waiting', growing] });
    await run();
    await run({ replacing: true });
    expect([seen.flight?.heldMs, seen.heldMs]).toEqual([800, [400, undefined]]);
  });

  test('tells of a node that goes upstream, and why the flight stepped aside before', async () => {
    const root = start(['upstream'], {});
    await root.run();
    expect(root.seen.flight).toMatchObject({ role: undefined, aside: undefined });
    root.sources.goesUpstream();
    expect(root.seen.flight).toEqual({ role: 'root', parent: undefined, heldMs: 0, aside: undefined });
    const silent = start([undefined], {});
    await silent.run();
    silent.sources.goesUpstream();
    expect(silent.seen.flight).toMatchObject({ role: 'root', aside: 'silent' });
    const again = start([assigned('A')], { A: [growing] });
    again.sources.stepsAside('again');
    expect([again.seen.asked, again.seen.outcomes, again.seen.flight?.aside]).toEqual([
      [],
      ['again'],
      'again',
    ]);
  });

  test('does not call a request late or its towers silent when the client has left', async () => {
    const waits = start([assigned('A')], { A: ['waiting'] });
    void waits.clock.sleep(1000).then(() => waits.client.abort());
    await waits.run();
    const asks = start([undefined], {});
    const asked = asks.run();
    asks.client.abort();
    await asked;
    expect([waits.seen.outcomes, asks.seen.outcomes]).toEqual([['left'], ['left']]);
  });
});
