import { expect, test } from 'bun:test';
import { chartText } from './hours-chart.ts';
import { chartHours, sumTraffic } from './traffic-hours.ts';

const NOW_MS = Date.UTC(2026, 0, 2, 15, 4, 5);
const hour = (startedAt: string, n: number) => ({
  startedAt,
  hits: n,
  misses: 1,
  localBytes: n,
  peerBytes: 10 * n,
  upstreamBytes: 2,
  givenBytes: 3,
});
const TRAFFIC = {
  hours: [
    hour('2026-01-01T16:00:00.000Z', 1),
    hour('2026-01-02T14:00:00.000Z', 5),
    hour('2026-01-02T15:00:00.000Z', 2),
  ],
  zones: [],
};

test('chartHours() has 24 hours, also those without traffic, and ends with the one that runs', () => {
  const hours = chartHours(TRAFFIC, NOW_MS);
  expect(hours).toHaveLength(24);
  expect(hours[0]).toEqual({ startMs: Date.UTC(2026, 0, 1, 16), savedBytes: 11, upstreamBytes: 2 });
  expect(hours[1]).toMatchObject({ savedBytes: 0, upstreamBytes: 0 });
  expect(hours.slice(-2).map(({ savedBytes }) => savedBytes)).toEqual([55, 22]);
  expect(chartText(hours)).toBe(
    'Bytes by hour: traffic in 3 of the last 24 hours. Most was saved in the hour of 14:00 UTC: 55\u00A0B saved, 2\u00A0B from registries.',
  );
  expect(chartText([])).toBe('No traffic in the last 24 hours.');
});

test('sumTraffic() adds the hours up', () => {
  expect(sumTraffic(TRAFFIC)).toEqual({
    hits: 8,
    misses: 3,
    localBytes: 8,
    peerBytes: 80,
    upstreamBytes: 6,
    givenBytes: 9,
  });
});
