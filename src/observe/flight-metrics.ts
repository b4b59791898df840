import type { MetricFactory } from './metric-factory.ts';

/** From a node that has it, over layers that wait for their turn there, to what containerd waits for a head, in seconds. */
const HOLD_SECONDS_BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 20, 25, 30, 60];

/** Makes the metrics of flights: one download feeds the cluster. */
export function createFlightMetrics({ counter, gauge, histogram, beforeExposing }: MetricFactory) {
  const requests = counter(
    'spegel_flight_requests_total',
    "Requests of this node's own containerd that a flight could serve, by outcome: growing (from a node that is downloading it), holder, upstream (this node downloads it for all), left (containerd left before). The flight stepped aside: silent (no node says which node downloads it), late (nothing came in time), again (it came through a flight a moment ago, and is asked for again), slow (the nodes that gave it were too slow).",
    ['outcome'],
  );
  const bytes = counter(
    'spegel_flight_bytes_total',
    'Body bytes from nodes that a flight named: growing is from a node that was downloading them itself, holder from a node that had them. A part of what spegel_served_bytes_total counts for source peer.',
    ['source'],
  );
  const holds = histogram(
    'spegel_flight_hold_seconds',
    'How long requests waited in a flight for their first byte, or until the flight could not give it, by outcome as in spegel_flight_requests_total.',
    ['outcome'],
    HOLD_SECONDS_BUCKETS,
  );
  const downloads = gauge(
    'spegel_flight_downloads',
    "This node's own downloads that other nodes may follow now, by role: root is from upstream, child from another node.",
    ['role'],
  );
  let downloadsNow: (() => Readonly<Record<string, number>>) | undefined;
  beforeExposing(() => {
    if (downloadsNow === undefined) return;
    for (const [role, count] of Object.entries(downloadsNow())) downloads.set({ role }, count);
  });
  return {
    downloadsFrom: (count: () => Readonly<Record<'root' | 'child', number>>): void => {
      downloadsNow = count;
    },
    ended: (outcome: string, heldMs: number | undefined): void => {
      requests.inc({ outcome });
      if (heldMs !== undefined) holds.observe({ outcome }, heldMs / 1000);
    },
    bytesMoved: (source: 'growing' | 'holder', moved: number): void => bytes.inc({ source }, moved),
  };
}
