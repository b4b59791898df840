import { describe, expect, test } from 'bun:test';
import { createVirtualClock, type VirtualClock } from '../runtime/testing/virtual-clock.ts';
import {
  CONGESTED_WINDOW_MS,
  FLOOR_CHECK_MS,
  FLOOR_MEMORY_MS,
  FLOOR_WINDOW_MS,
  STALL_TIMEOUT_MS,
} from './budgets.ts';
import { createThroughputFloor, type ThroughputFloor } from './throughput-floor.ts';

const MBIT = 1_000_000 / 8;
/** Longer than the floor's memory of a moment: what is not slow by then never is. */
const LONG_MS = 20_000;

/** A body: from which host, and the bytes per second that it gets at a time in ms. */
interface Body {
  readonly host: string;
  readonly rate: number | ((atMs: number) => number);
  /** The part of the time for which its client does not take more. */
  readonly clientBusy?: number;
  readonly endsMs?: number;
}

/** Moves bodies side by side; gives for each after how many ms it was found slow, or undefined. */
async function move(clock: VirtualClock, floor: ThroughputFloor, bodies: readonly Body[], forMs = LONG_MS) {
  const startMs = clock.nowMs();
  const running = bodies.map((body) => ({
    ...body,
    pace: floor.watch(body.host),
    movedBytes: 0,
    waitedMs: 0,
    slowMs: undefined as number | undefined,
    hasEnded: false,
  }));
  while (clock.nowMs() - startMs < forMs) {
    await clock.advance(FLOOR_CHECK_MS);
    const atMs = clock.nowMs() - startMs;
    for (const body of running) {
      if (body.hasEnded) continue;
      const rate = typeof body.rate === 'number' ? body.rate : body.rate(atMs);
      body.movedBytes += (rate * FLOOR_CHECK_MS) / 1000;
      body.waitedMs += FLOOR_CHECK_MS * (1 - (body.clientBusy ?? 0));
      if (body.pace.judge(body) !== undefined) body.slowMs = atMs;
      body.hasEnded = body.slowMs !== undefined || atMs >= (body.endsMs ?? Infinity);
      if (body.hasEnded) body.pace.ended(body.movedBytes);
    }
  }
  for (const { hasEnded, pace, movedBytes } of running) if (!hasEnded) pace.ended(movedBytes);
  return running.map(({ slowMs }) => slowMs);
}

function setUp() {
  const clock = createVirtualClock();
  return { clock, floor: createThroughputFloor(clock) };
}

const times = <T>(count: number, value: T): readonly T[] => Array.from({ length: count }, () => value);
const NONE = undefined;

describe('createThroughputFloor() breaks', () => {
  const soon = FLOOR_WINDOW_MS;
  test.each<{ name: string; bodies: readonly Body[]; slow: readonly (number | undefined)[] }>([
    { name: 'a byte in 0.9 s', bodies: [{ host: 'a', rate: 1 / 0.9 }], slow: [soon] },
    { name: '256 kbit/s', bodies: [{ host: 'a', rate: 0.256 * MBIT }], slow: [soon] },
    {
      name: '256 kbit/s each of three layers at once',
      bodies: times(3, { host: 'a', rate: 0.256 * MBIT }),
      slow: times(3, soon),
    },
    {
      name: 'one of many that gets next to nothing',
      bodies: [...times(50, { host: 'a', rate: 5 * MBIT }), { host: 'b', rate: 1 }],
      slow: [...times(50, NONE), soon],
    },
    {
      name: 'in 5 s, one that gets next to nothing of a slow link',
      bodies: [...times(50, { host: 'a', rate: 2 * MBIT }), { host: 'b', rate: 1 }],
      slow: [...times(50, NONE), CONGESTED_WINDOW_MS],
    },
    {
      name: '256 kbit/s beside a fast one of another host',
      bodies: [
        { host: 'a', rate: 100 * MBIT },
        { host: 'b', rate: 0.256 * MBIT },
      ],
      slow: [NONE, soon],
    },
    {
      name: 'a burst, then a drip',
      bodies: [{ host: 'a', rate: (atMs) => (atMs <= FLOOR_CHECK_MS ? 1000 * MBIT : 1) }],
      slow: [soon + FLOOR_CHECK_MS],
    },
    {
      name: '256 kbit/s of three layers together, after a burst of 128 KB',
      bodies: times(3, {
        host: 'a',
        rate: (atMs) => (atMs <= FLOOR_CHECK_MS ? 128_000 * 4 : 0.256 * MBIT) / 3,
      }),
      slow: times(3, soon),
    },
    {
      name: 'a drip to a client that is slow itself',
      bodies: [{ host: 'a', rate: 1, clientBusy: 0.5 }],
      slow: [2 * soon],
    },
  ])('$name', async ({ bodies, slow }) => {
    const { clock, floor } = setUp();
    expect(await move(clock, floor, bodies)).toEqual([...slow]);
  });

  test('a silent one in 1 s, and one of several on a slow link in 5 s, as stalled', async () => {
    const { clock, floor } = setUp();
    const [alone] = await move(clock, floor, [{ host: 'a', rate: 0 }]);
    expect(alone).toBe(STALL_TIMEOUT_MS);
    const share = { host: 'a', rate: MBIT };
    const bodies = [share, share, { host: 'b', rate: (atMs: number) => (atMs < 3000 ? MBIT : 0) }];
    const [, , late] = await move(clock, floor, bodies);
    expect(late).toBeGreaterThan(3000 + 4 * STALL_TIMEOUT_MS);
    expect(late).toBeLessThanOrEqual(3000 + CONGESTED_WINDOW_MS);
    const pace = floor.watch('a');
    const reasons: (string | undefined)[] = [];
    for (let waitedMs = FLOOR_CHECK_MS; waitedMs <= STALL_TIMEOUT_MS; waitedMs += FLOOR_CHECK_MS) {
      await clock.advance(FLOOR_CHECK_MS);
      reasons.push(pace.judge({ movedBytes: 0, waitedMs }));
    }
    expect(reasons).toEqual([undefined, undefined, undefined, 'stalled']);
    pace.ended(0);
  });

  test('what gives a twentieth of what others gave a moment ago', async () => {
    const { clock, floor } = setUp();
    await move(clock, floor, [{ host: 'a', rate: 100 * MBIT }], 3000);
    const bodies = [{ host: 'b', rate: 5 * MBIT }];
    expect(await move(clock, floor, bodies)).toEqual([FLOOR_WINDOW_MS]);
    // What the host itself gave is no measure of it.
    expect(await move(clock, floor, [{ host: 'a', rate: 5 * MBIT }])).toEqual([NONE]);
  });

  test('what is slower than short bodies of others were', async () => {
    const { clock, floor } = setUp();
    const short = floor.watch('a');
    await clock.advance(100);
    short.ended(2 * 1024 * 1024);
    expect(await move(clock, floor, [{ host: 'b', rate: 5 * MBIT }])).toEqual([FLOOR_WINDOW_MS]);
  });
});

describe('createThroughputFloor() lets live', () => {
  test.each<{ name: string; bodies: readonly Body[] }>([
    { name: 'one body at 2 Mbit/s', bodies: [{ host: 'a', rate: 2 * MBIT }] },
    {
      name: 'hosts at 2 Mbit/s each',
      bodies: ['a', 'b', 'c'].map((host) => ({ host, rate: 2 * MBIT })),
    },
    {
      name: 'three that share 2 Mbit/s unevenly',
      bodies: [
        { host: 'a', rate: 1.5 * MBIT },
        { host: 'a', rate: 0.3 * MBIT },
        { host: 'b', rate: 0.2 * MBIT },
      ],
    },
    {
      name: 'two on a slow link that a third has just left',
      bodies: [
        { host: 'a', rate: MBIT, endsMs: 4000 },
        { host: 'a', rate: (atMs) => (atMs < 5500 ? 0.25 : 1) * MBIT },
        { host: 'b', rate: (atMs) => (atMs < 5500 ? 0.6 : 1) * MBIT },
      ],
    },
    {
      name: '20 that share 10 Mbit/s, until one is left',
      bodies: Array.from({ length: 20 }, (_, index) => ({
        host: `h${index % 3}`,
        rate: (atMs: number) => (10 * MBIT) / (atMs > 11_000 ? 1 : 20),
        ...(index === 0 ? {} : { endsMs: 10_000 }),
      })),
    },
    {
      name: '50 that share 100 Mbit/s, some with a fifth of their share',
      bodies: Array.from({ length: 50 }, (_, index) => ({
        host: `h${index % 7}`,
        rate: (index % 2 === 0 ? 3.6 : 0.4) * MBIT,
      })),
    },
    {
      name: 'most of a second in ten without a byte',
      bodies: [{ host: 'a', rate: (atMs) => (atMs % 10_000 < 750 ? 0 : 4 * MBIT) }],
    },
    {
      name: 'three on a link of 2 Mbit/s, each of which gets nothing for three seconds in turn',
      bodies: [0, 1, 2].map((index) => ({
        host: 'a',
        rate: (atMs: number) => (Math.floor(atMs / 3000) % 3 === index ? 0 : MBIT),
      })),
    },
    {
      name: 'a client that reads at 64 kbit/s, however long',
      bodies: [{ host: 'a', rate: 0.064 * MBIT, clientBusy: 0.99 }],
    },
  ])('$name', async ({ bodies }) => {
    const { clock, floor } = setUp();
    expect(await move(clock, floor, bodies)).toEqual(times(bodies.length, NONE) as undefined[]);
  });

  test('8 Mbit/s, whatever others gave', async () => {
    const { clock, floor } = setUp();
    await move(clock, floor, [{ host: 'a', rate: 10_000 * MBIT }], 3000);
    expect(await move(clock, floor, [{ host: 'b', rate: 8 * MBIT }])).toEqual([NONE]);
  });

  test('2 Mbit/s again when what others gave is long ago', async () => {
    const { clock, floor } = setUp();
    await move(clock, floor, [{ host: 'a', rate: 100 * MBIT }], 3000);
    await clock.advance(FLOOR_MEMORY_MS);
    expect(await move(clock, floor, [{ host: 'b', rate: 2 * MBIT }])).toEqual([NONE]);
  });

  test('all hosts of a link that has become slow, after each of them was found slow once at most', async () => {
    const { clock, floor } = setUp();
    const hosts = ['a', 'b', 'c', 'd'];
    await move(
      clock,
      floor,
      hosts.map((host) => ({ host, rate: 100 * MBIT })),
      3000,
    );
    const found = new Map<string, number>();
    for (let round = 0; round < 5; round++) {
      for (const host of hosts) {
        const [slowMs] = await move(clock, floor, [{ host, rate: 2 * MBIT }], 3000);
        if (slowMs !== undefined) found.set(host, (found.get(host) ?? 0) + 1);
      }
    }
    expect(found.size).toBeGreaterThan(0);
    expect([...found.values()].every((count) => count === 1)).toBe(true);
  });

  test('a source whose bytes lay there while this process did not run', async () => {
    const { clock, floor } = setUp();
    const pace = floor.watch('a');
    await clock.advance(FLOOR_CHECK_MS);
    expect(pace.judge({ movedBytes: 2 * MBIT, waitedMs: FLOOR_CHECK_MS })).toBeUndefined();
    await clock.advance(60_000);
    expect(pace.judge({ movedBytes: 2 * MBIT, waitedMs: 60_000 })).toBeUndefined();
    pace.ended(2 * MBIT);
  });
});
