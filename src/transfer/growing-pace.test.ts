import { describe, expect, test } from 'bun:test';

import type { Assigned } from '../flights/flight-seat.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { FLIGHT_DRIP_BYTES, FLIGHT_DRIP_MS } from './budgets.ts';
import { createGrowingPace } from './growing-pace.ts';
import {
  createScriptedClient,
  createScriptedCluster,
  createScriptedFlights,
} from './testing/scripted-cluster.ts';

const STEP_MS = 500;

describe('createGrowingPace()', () => {
  test.each([
    ['comes by the byte', 1, true],
    ['is as slow as upstream', FLIGHT_DRIP_BYTES / 10, false],
  ])('a body that %s', async (_, bytesPerStep, isSlow) => {
    const clock = createVirtualClock();
    const body = createGrowingPace(clock).watch();
    const said = new Set<string | undefined>();
    for (let step = 1; step * STEP_MS < 4 * FLIGHT_DRIP_MS; step++) {
      await clock.advance(STEP_MS);
      said.add(body.judge({ waitedMs: step * STEP_MS, movedBytes: step * bytesPerStep }));
    }
    expect(said.has('slow')).toBe(isSlow);
  });

  test('time in which the client takes nothing does not count', async () => {
    const clock = createVirtualClock();
    const body = createGrowingPace(clock).watch();
    await clock.advance(4 * FLIGHT_DRIP_MS);
    expect(body.judge({ waitedMs: 10, movedBytes: 1 })).toBeUndefined();
  });
});

test('serveBlob() does not take a blob from a node of a flight that gives a byte at a time, in a body each', async () => {
  const clock = createVirtualClock();
  const blob = Buffer.alloc(1000, 'blob');
  const assigned: Assigned = {
    name: 'p1',
    peer: { id: 'p1', addresses: ['10.0.0.1'] },
    leader: undefined,
  };
  const flights = createScriptedFlights(async () => assigned);
  const cluster = createScriptedCluster(
    blob,
    [{ breaksAfter: 1, headers: { 'x-spegel-flight': 'growing' } }, { status: 404 }],
    { clock, flights, answerMs: STEP_MS },
  );
  const { client, brokenOff } = createScriptedClient();
  const served = cluster.transfer.serveBlob(
    {
      digest: cluster.digest,
      repository: 'lab/a',
      registry: 'registry.lab:5000',
      range: undefined,
      local: undefined,
      mayAskPeers: true,
      isOwn: true,
    },
    client,
  );
  const ends: string[] = [];
  void served.then(({ how }) => void ends.push(how));
  for (let step = 0; step < 1200 && ends.length === 0; step++) await clock.advance(STEP_MS);
  expect([ends, brokenOff()]).toEqual([['broken-off'], true]);
  expect(client.movedBytes).toBeLessThan(100);
});
