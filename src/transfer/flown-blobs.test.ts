import { expect, test } from 'bun:test';

import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { FLOWN_BLOB_MEMORY_MS } from './budgets.ts';
import {
  createScriptedClient,
  createScriptedCluster,
  createScriptedFlights,
} from './testing/scripted-cluster.ts';

const BLOB = Buffer.alloc(1000, 'blob');

test('what came through a flight with the wrong bytes is not taken from a flight again for a while', async () => {
  const clock = createVirtualClock();
  let tookMore = 0;
  const flights = createScriptedFlights(async () => {
    tookMore++;
    return { name: 'p1', peer: { id: 'p1', addresses: ['10.0.0.1'] }, leader: undefined };
  });
  const wrong = { bytes: Buffer.alloc(1000, 'blub'), headers: { 'x-spegel-flight': 'growing' } };
  const cluster = createScriptedCluster(BLOB, [wrong, { status: 404 }], { clock, flights });
  const ask = async (start?: number) => {
    tookMore = 0;
    const request = {
      digest: cluster.digest,
      repository: 'lab/a',
      registry: 'registry.lab:5000',
      range: start === undefined ? undefined : { start },
      local: undefined,
      mayAskPeers: true,
      isOwn: true,
    };
    await cluster.transfer.serveBlob(request, createScriptedClient().client);
    return tookMore > 0;
  };
  expect(await ask()).toBe(true);
  // containerd asks for the rest of a body that was broken off, which says nothing of the bytes.
  expect(await ask(500)).toBe(true);
  expect([await ask(), await ask(0)]).toEqual([false, false]);
  await clock.advance(FLOWN_BLOB_MEMORY_MS + 1);
  expect(await ask()).toBe(true);
});
