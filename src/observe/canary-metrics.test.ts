import { expect, test } from 'bun:test';
import { createMetrics } from './metrics.ts';

test('createMetrics() has no sample of the canary while nothing is known, and none of what is not known any more', async () => {
  const metrics = createMetrics({ version: 'test', commit: 'test' });
  const samples = async () =>
    (await metrics.expose()).body
      .split('\n')
      .filter((line) => /^spegel_(mirror_in_use|canary_duration|canary_runs)/.test(line));
  const runs = (used: number, notUsed: number, unknown: number) => [
    `spegel_canary_runs_total{result="used"} ${used}`,
    `spegel_canary_runs_total{result="not-used"} ${notUsed}`,
    `spegel_canary_runs_total{result="unknown"} ${unknown}`,
  ];
  expect(await samples()).toEqual(runs(0, 0, 0));
  metrics.canaryEnded({ outcome: 'used', durationMs: 250 });
  expect(await samples()).toEqual([
    'spegel_mirror_in_use 1',
    'spegel_canary_duration_seconds 0.25',
    ...runs(1, 0, 0),
  ]);
  metrics.canaryEnded({ outcome: 'not-used', durationMs: 500 });
  expect(await samples()).toEqual([
    'spegel_mirror_in_use 0',
    'spegel_canary_duration_seconds 0.5',
    ...runs(1, 1, 0),
  ]);
  metrics.canaryEnded({ outcome: 'unknown', durationMs: 0 });
  expect(await samples()).toEqual(['spegel_canary_duration_seconds 0', ...runs(1, 1, 1)]);
});
