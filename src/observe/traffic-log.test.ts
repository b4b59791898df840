import { describe, expect, test } from 'bun:test';
import { createTrafficLog } from './traffic-log.ts';

const HOUR_MS = 3_600_000;
const NONE = { hits: 0, misses: 0, localBytes: 0, peerBytes: 0, upstreamBytes: 0, givenBytes: 0 };

describe('createTrafficLog()', () => {
  test('adds up by the hour of the clock, and leaves out hours without traffic', () => {
    let now = 10 * HOUR_MS + 59 * 60_000;
    const log = createTrafficLog(() => now);
    expect(log.hours()).toEqual([]);
    log.add({ hits: 1, localBytes: 5 });
    log.add({ hits: 1, peerBytes: 7 });
    now += 60_000;
    log.add({ misses: 1 });
    now += 3 * HOUR_MS;
    log.add({ upstreamBytes: 9, givenBytes: 2 });
    expect(log.hours()).toEqual([
      { startedAtMs: 10 * HOUR_MS, ...NONE, hits: 2, localBytes: 5, peerBytes: 7 },
      { startedAtMs: 11 * HOUR_MS, ...NONE, misses: 1 },
      { startedAtMs: 14 * HOUR_MS, ...NONE, upstreamBytes: 9, givenBytes: 2 },
    ]);
  });

  test('keeps 24 hours, the present one among them', () => {
    let now = 0;
    const log = createTrafficLog(() => now);
    for (; now < 100 * HOUR_MS; now += HOUR_MS) log.add({ hits: 1 });
    now -= 1;
    expect(log.hours().map(({ startedAtMs }) => startedAtMs / HOUR_MS)).toEqual(
      Array.from({ length: 24 }, (_, n) => 76 + n),
    );
    now += 23 * HOUR_MS;
    expect(log.hours().map(({ startedAtMs }) => startedAtMs / HOUR_MS)).toEqual([99]);
  });

  test('goes on with the hour of before when the clock is set back', () => {
    let now = 5 * HOUR_MS;
    const log = createTrafficLog(() => now);
    log.add({ hits: 1 });
    now += HOUR_MS;
    log.add({ hits: 10 });
    now -= HOUR_MS;
    log.add({ hits: 100 });
    expect(log.hours()).toEqual([{ startedAtMs: 5 * HOUR_MS, ...NONE, hits: 101 }]);
  });
});
