import { expect, test } from 'bun:test';
import { parseMetrics } from './metrics.ts';

const PAGE = `# HELP spegel_mirror_requests_total Mirror requests.
# TYPE spegel_mirror_requests_total counter
spegel_mirror_requests_total{cache="hit",registry="registry.lab:5000"} 3
spegel_mirror_requests_total{cache="hit",registry="a\\"b,c\\\\d"} 4 1700000000
spegel_mirror_requests_total{cache="miss",registry="registry.lab:5000"} 1
up 1
h_bucket{le="+Inf"} +Inf
`;

test('parseMetrics() sums the samples that carry the labels', () => {
  const metrics = parseMetrics(PAGE);
  expect(metrics.sum('spegel_mirror_requests_total')).toBe(8);
  expect(metrics.sum('spegel_mirror_requests_total', { cache: 'hit' })).toBe(7);
  expect(metrics.sum('spegel_mirror_requests_total', { registry: 'a"b,c\\d' })).toBe(4);
  expect(metrics.sum('up')).toBe(1);
  expect(metrics.sum('h_bucket')).toBe(Infinity);
  expect(metrics.sum('absent')).toBe(0);
});
