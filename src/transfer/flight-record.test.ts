import { expect, test } from 'bun:test';

import type { TransferFlight } from '../observe/transfer-log.ts';
import {
  createScriptedClient,
  createScriptedCluster,
  createScriptedFlights,
  type PeerScript,
} from './testing/scripted-cluster.ts';

const BLOB = Buffer.alloc(1000, 'blob');
const GROWING = { 'x-spegel-flight': 'growing' };
const named = (id: number) => ({
  name: `p${id}`,
  peer: { id: `p${id}`, addresses: [`10.0.0.${id}`] },
  leader: undefined,
});

/** The node's own request for a blob or manifest, whose flight names these peers one after the other, then no more. */
async function request(kind: 'blob' | 'manifest', ...peers: readonly PeerScript[]) {
  let next = 0;
  const flights = createScriptedFlights(async () => (next < peers.length ? named(++next) : 'upstream'));
  const cluster = createScriptedCluster(BLOB, peers, { flights });
  const { digest, transfer, flown } = cluster;
  const told: TransferFlight[] = [];
  const { client } = createScriptedClient();
  const common = {
    repository: 'a',
    registry: 'r',
    onFlight: (flight: TransferFlight) => void told.push(flight),
  };
  if (kind === 'manifest') {
    const asked = { ...common, key: digest, reference: digest, isOwn: true };
    await transfer.fetchManifest(asked, client.gone);
  } else {
    const asked = { ...common, digest, range: undefined, local: undefined, mayAskPeers: true, isOwn: true };
    await transfer.serveBlob(asked, client);
  }
  return { flown, flight: told.at(-1) };
}

test('bytes that a flight brought are counted by what their node was doing, the part before a break, too', async () => {
  const { flown, flight } = await request('blob', { headers: GROWING, breaksAfter: 300, breaks: 'slow' }, {});
  expect(flown).toEqual(['growing 300', 'holder 700']);
  const parent = { origin: '10.0.0.2', peer: 'p2' };
  expect(flight).toEqual({ role: 'holder', parent, heldMs: 0, aside: undefined });
});

test('a manifest that a flight brought is counted, too', async () => {
  const manifest = { headers: { 'content-type': 'application/vnd.oci.image.manifest.v1+json' } };
  const { flown, flight } = await request('manifest', manifest);
  expect([flown, flight?.role]).toEqual([['holder 1000'], 'holder']);
});

test.each(['blob', 'manifest'] as const)('a %s that no node has makes this node a root', async (kind) => {
  const { flown, flight } = await request(kind);
  expect([flown, flight?.role, flight?.aside]).toEqual([[], 'root', undefined]);
});
