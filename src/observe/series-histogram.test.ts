import { expect, test } from 'bun:test';
import { Histogram, type Metric, Registry } from 'prom-client';
import { createSeriesHistogram, type HistogramSeries } from './series-histogram.ts';

const BUCKETS = [0.5, 1, 10];
const SAMPLES: readonly (readonly [labels: readonly [string, string], value: number])[] = [
  [['a', '200'], 0.5],
  [['a', '200'], 0.500001],
  [['b', '200'], 10],
  [['a', '404'], 11],
  [['say "b\\c"\n', '200'], 0],
  [['a', '200'], 3],
];

test('createSeriesHistogram() is exposed as a histogram of prom-client with the same samples is', async () => {
  const [theirs, ours] = [new Registry(), new Registry()];
  const name = 'test_seconds';
  const help = 'Say "so".\nTwice.';
  const labelNames = ['handler', 'code'];
  const histogram = createSeriesHistogram({ name, help, labelNames, buckets: BUCKETS });
  ours.registerMetric(histogram as unknown as Metric);
  const reference = new Histogram({ name, help, labelNames, buckets: BUCKETS, registers: [theirs] });
  expect(await ours.metrics()).toBe(await theirs.metrics());
  histogram.createSeries('unused', '200');
  const series = new Map<string, HistogramSeries>();
  for (const [[handler, code], value] of SAMPLES) {
    const key = `${handler} ${code}`;
    const its = series.get(key) ?? histogram.createSeries(handler, code);
    series.set(key, its);
    its.observe(value);
    reference.observe({ handler, code }, value);
  }
  expect(await ours.metrics()).toBe(await theirs.metrics());
});
