import { describe, expect, test } from 'bun:test';

import { createMetricFactory } from './metric-factory.ts';
import { createRoutingMetrics, type RoutingFigures } from './routing-metrics.ts';

function setUp() {
  const factory = createMetricFactory();
  const metrics = createRoutingMetrics(factory);
  const lines = async () => (await factory.expose()).body.split('\n');
  return { metrics, lines };
}

const FIGURES: RoutingFigures = {
  records: 100,
  recordedKeys: 40,
  refusedRecords: 2,
  providedKeys: 7,
  waitingRecords: 5,
  peers: { connected: 3, suspect: 1, dead: 2 },
  membership: { members: 3, pending: 1, refused: 4 },
  refused: { rate: 7, slow_reader: 0 },
};

describe('createRoutingMetrics()', () => {
  test('shows the router as it is when it is asked', async () => {
    const { metrics, lines } = setUp();
    expect((await lines()).some((line) => line.startsWith('spegel_router_members{'))).toBe(false);
    let figures = FIGURES;
    metrics.figuresFrom(() => figures);
    expect(await lines()).toEqual(
      expect.arrayContaining([
        'spegel_router_members{source="dns"} 3',
        'spegel_router_pending_peers 1',
        'spegel_router_refused_connections_total 4',
        'spegel_router_peer_states{state="connected"} 3',
        'spegel_router_peer_states{state="suspect"} 1',
        'spegel_router_peer_states{state="dead"} 2',
        'spegel_router_records 100',
        'spegel_router_recorded_keys 40',
        'spegel_router_refused_records_total 2',
        'spegel_router_provided_keys 7',
        'spegel_router_waiting_records 5',
        'spegel_router_limited_total{reason="rate"} 7',
        'spegel_router_limited_total{reason="slow_reader"} 0',
      ]),
    );
    figures = { ...FIGURES, records: 0, refusedRecords: 3, peers: { connected: 0, suspect: 0, dead: 6 } };
    expect(await lines()).toEqual(
      expect.arrayContaining([
        'spegel_router_peer_states{state="connected"} 0',
        'spegel_router_peer_states{state="dead"} 6',
        'spegel_router_records 0',
        'spegel_router_refused_records_total 3',
      ]),
    );
  });

  test('counts what the router does', async () => {
    const { metrics, lines } = setUp();
    expect(await lines()).toContain('spegel_router_lookups_total{outcome="nobody"} 0');
    metrics.lookupEnded('record');
    metrics.lookupEnded('network');
    await lines();
    metrics.lookupEnded('network');
    metrics.walkEnded({ durationMs: 4, asked: 3 });
    metrics.recordsSent(20);
    metrics.sweepEnded({ busyMs: 1500, lagMs: 250 });
    metrics.bootstrapEnded('joined');
    expect(await lines()).toEqual(
      expect.arrayContaining([
        'spegel_router_lookups_total{outcome="record"} 1',
        'spegel_router_lookups_total{outcome="network"} 2',
        'spegel_router_walk_duration_seconds_bucket{le="0.0025"} 0',
        'spegel_router_walk_duration_seconds_bucket{le="0.005"} 1',
        'spegel_router_walk_peers_bucket{le="2"} 0',
        'spegel_router_walk_peers_bucket{le="3"} 1',
        'spegel_router_sent_records_total 20',
        'spegel_router_sweep_duration_seconds 1.5',
        'spegel_router_sweep_lag_seconds 0.25',
        'spegel_router_bootstraps_total{outcome="joined"} 1',
      ]),
    );
  });
});
