import { expect, test } from 'bun:test';

import type { TransferFlight } from '../observe/transfer-log.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
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

/** A node whose flights name these peers one after the other, then send it upstream, and what its own requests are told. */
function setUp(...peers: readonly PeerScript[]) {
  return setUpWith({ resolveRetries: 3 }, peers);
}
function setUpWith({ resolveRetries }: { readonly resolveRetries: number }, peers: readonly PeerScript[]) {
  let next = 0;
  const flights = createScriptedFlights(async () => (next < peers.length ? named(++next) : 'upstream'));
  const { digest, transfer, flown } = createScriptedCluster(BLOB, peers, {
    flights,
    clock: createVirtualClock(),
    resolveRetries,
  });
  const request = async (kind: 'blob' | 'manifest') => {
    const told: TransferFlight[] = [];
    const { client } = createScriptedClient();
    const onFlight = (flight: TransferFlight) => void told.push(flight);
    const common = { repository: 'a', registry: 'r', isOwn: true, onFlight };
    if (kind === 'manifest') {
      await transfer.fetchManifest({ ...common, key: digest, reference: digest }, client);
    } else {
      const asked = { ...common, digest, range: undefined, local: undefined, mayAskPeers: true };
      await transfer.serveBlob(asked, client);
    }
    return told.at(-1);
  };
  return { flown, request };
}

test('bytes that a flight brought are counted by what their node was doing, the part before a break, too', async () => {
  const { flown, request } = setUp({ headers: GROWING, breaksAfter: 300, breaks: 'slow' }, {});
  const flight = await request('blob');
  expect(flown).toEqual(['growing 300', 'holder 700']);
  const parent = { origin: '10.0.0.2', peer: 'p2' };
  expect(flight).toEqual({ role: 'holder', parent, heldMs: 0, aside: undefined });
});

test('a manifest that a flight brought is counted, too', async () => {
  const manifest = { headers: { 'content-type': 'application/vnd.oci.image.manifest.v1+json' } };
  const { flown, request } = setUp(manifest);
  const flight = await request('manifest');
  expect([flown, flight?.role]).toEqual([['holder 1000'], 'holder']);
});

test.each(['blob', 'manifest'] as const)('a %s that no node has makes this node a root', async (kind) => {
  const { flown, request } = setUp();
  const flight = await request(kind);
  expect([flown, flight?.role, flight?.aside]).toEqual([[], 'root', undefined]);
});

test('the record says that a blob is not taken from a flight again', async () => {
  const { request } = setUp({ headers: GROWING });
  expect((await request('blob'))?.aside).toBeUndefined();
  expect((await request('blob'))?.aside).toBe('again');
});

test('the record says that the nodes of a flight were too slow', async () => {
  const slow: PeerScript = { breaksAfter: 1, breaks: 'slow', headers: GROWING };
  const { request } = setUp(slow, slow, slow, {});
  expect(await request('blob')).toMatchObject({ role: 'root', aside: 'slow' });
});

test.each(['blob', 'manifest'] as const)(
  'a %s is taken from no node where no peer is to be asked',
  async (kind) => {
    const { flown, request } = setUpWith({ resolveRetries: 0 }, [{}]);
    expect([await request(kind), flown]).toEqual([undefined, []]);
  },
);
