import type { MetricFactory } from './metric-factory.ts';

/** How a run of the canary ended, for its metrics. */
export interface CanarySample {
  readonly outcome: 'used' | 'not-used' | 'unknown';
  readonly durationMs: number;
}

/** Metrics of whether containerd asks this mirror. */
export function createCanaryMetrics({ counter, gauge }: Pick<MetricFactory, 'counter' | 'gauge'>) {
  const inUse = gauge(
    'spegel_mirror_in_use',
    'Whether containerd asked this mirror when it was last told to pull the canary image: 1 or 0. No sample while that is not known.',
  );
  const duration = gauge(
    'spegel_canary_duration_seconds',
    'How long the last pull of the canary image took, failed or not. No sample before the first.',
  );
  const lastRun = gauge(
    'spegel_canary_last_run_timestamp_seconds',
    'When the last pull of the canary image ended, in seconds since the epoch. No sample before the first.',
  );
  const runs = counter(
    'spegel_canary_runs_total',
    'Pulls of the canary image that containerd was told to make, by what they showed: used, not-used or unknown.',
    ['result'],
  );
  for (const metric of [inUse, duration, lastRun]) metric.remove();
  for (const result of ['used', 'not-used', 'unknown']) runs.inc({ result }, 0);
  return {
    /** A run of the canary has ended. */
    canaryEnded({ outcome, durationMs }: CanarySample): void {
      if (outcome === 'unknown') inUse.remove();
      else inUse.set(outcome === 'used' ? 1 : 0);
      duration.set(durationMs / 1000);
      lastRun.set(Date.now() / 1000);
      runs.inc({ result: outcome });
    },
  };
}
