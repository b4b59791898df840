import type { LiveTraffic, TrafficHour } from '../live-report.ts';

const HOUR_MS = 3_600_000;
/** Hours of the chart. */
const CHART_HOURS = 24;

/** What an hour gave, for the chart. */
export interface ChartHour {
  readonly startMs: number;
  /** From peers and from this node. */
  readonly savedBytes: number;
  readonly upstreamBytes: number;
}

/** The sums of the last 24 hours. */
export type TrafficSums = Omit<TrafficHour, 'startedAt'>;

/** The last 24 hours, oldest first, also those without traffic. */
export function chartHours({ hours }: LiveTraffic, nowMs: number): readonly ChartHour[] {
  const byStart = new Map(hours.map((hour) => [Date.parse(hour.startedAt), hour]));
  const lastMs = Math.floor(nowMs / HOUR_MS) * HOUR_MS;
  return Array.from({ length: CHART_HOURS }, (_, n) => {
    const startMs = lastMs - (CHART_HOURS - 1 - n) * HOUR_MS;
    const hour = byStart.get(startMs);
    return {
      startMs,
      savedBytes: (hour?.peerBytes ?? 0) + (hour?.localBytes ?? 0),
      upstreamBytes: hour?.upstreamBytes ?? 0,
    };
  });
}

/** All hours together. */
export function sumTraffic({ hours }: LiveTraffic): TrafficSums {
  const sum = (name: Exclude<keyof TrafficHour, 'startedAt'>) =>
    hours.reduce((total, hour) => total + hour[name], 0);
  return {
    hits: sum('hits'),
    misses: sum('misses'),
    localBytes: sum('localBytes'),
    peerBytes: sum('peerBytes'),
    upstreamBytes: sum('upstreamBytes'),
    givenBytes: sum('givenBytes'),
  };
}
