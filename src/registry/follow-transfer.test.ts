import { describe, expect, test } from 'bun:test';
import { createTrustingVerifier } from '../integrity/testing/trusting-verifier.ts';
import type { Flights } from '../flights/flights.ts';
import { silentLogger } from '../observe/log.ts';
import type { EndedTransfer } from '../observe/transfer-log.ts';
import { digestOf } from '../oci/digest.ts';
import { parseDistributionPath } from '../oci/distribution-path.ts';
import { systemClock } from '../runtime/clock.ts';
import type { FairShares } from '../runtime/fair-shares.ts';
import { planMemory } from '../runtime/memory/memory-plan.ts';
import {
  createScriptedClient,
  createScriptedCluster,
  createScriptedFlights,
  type PeerScript,
} from '../transfer/testing/scripted-cluster.ts';
import { createContentHandlers } from './content-handlers.ts';
import { createRegistryShares } from './registry-shares.ts';
import type { AdmittedRequest, BlobContentRequest } from './content-request.ts';
import { followTransfer } from './follow-transfer.ts';

const MANIFEST = new TextEncoder().encode('{"schemaVersion":2,"config":{},"layers":[]}');
const SIZE = MANIFEST.length;
const DIGEST = digestOf(MANIFEST);
const NAME = { registry: 'registry.lab:5000', repository: 'lab/a' };

interface Asked {
  readonly kind: 'manifests' | 'blobs';
  readonly reference?: string;
  readonly method?: 'GET' | 'HEAD';
  readonly forwarded?: boolean;
  /** This node has it. */
  readonly has?: boolean;
  readonly peers?: readonly PeerScript[];
  readonly leavesAfter?: number;
  /** No more bodies may move. */
  readonly isFull?: boolean;
  /** Of this node's own client. */
  readonly flights?: Flights;
}

/** Sends the requests one after the other and returns what was told of them, without the times. */
async function told(...requests: readonly Asked[]): Promise<Omit<EndedTransfer, 'durationMs'>[]> {
  const ended: EndedTransfer[] = [];
  const [{ has = false, peers = [], flights, isFull = false } = {}] = requests;
  const shares = createRegistryShares(systemClock, planMemory());
  const none: FairShares = { enter: async () => undefined, held: 0, waiting: 0 };
  const handlers = createContentHandlers({
    verifier: createTrustingVerifier(),
    store: {
      resolve: async () => (has ? DIGEST : undefined),
      stat: async (digest) => (has ? { digest, sizeBytes: SIZE, path: 'file', stamp: 0 } : undefined),
      read: async () => (has ? MANIFEST : undefined),
    },
    policy: { sharesDigest: () => true },
    transfer: createScriptedCluster(MANIFEST, peers, { ...(flights && { flights }) }).transfer,
    logger: silentLogger,
    clock: systemClock,
    shares: { ...shares, ...(isFull && { bodies: none }) },
    manifestCacheBytes: 1_000_000,
    contentMissing: () => {},
    mirrored: () => {},
    responseBroken: () => {},
    uploadRefused: () => {},
    layerPrefetch: () => {},
    transferEnded: (transfer) => void ended.push(transfer),
  });
  for (const { kind, reference = DIGEST, method = 'GET', forwarded = false, leavesAfter } of requests) {
    const path = parseDistributionPath(`/v2/lab/a/${kind}/${reference}`, NAME.registry);
    const { client } = createScriptedClient(leavesAfter);
    const favoured = flights !== undefined;
    const request = { method, path, rangeHeader: undefined, forwarded, favoured, client } as AdmittedRequest;
    // A 404 is an error that the app answers.
    await (
      kind === 'blobs' ? handlers.blob(request as BlobContentRequest) : handlers.manifest(request)
    ).catch(() => {});
  }
  return ended.map(({ durationMs, ...transfer }) => {
    expect(durationMs).toBeGreaterThanOrEqual(0);
    return transfer;
  });
}

const from = (origin: string, movedBytes = SIZE, ended = 'complete') => ({ origin, movedBytes, ended });
const transferOf = (different: Partial<EndedTransfer>) => ({
  ...NAME,
  kind: 'blob' as const,
  tag: undefined,
  digest: DIGEST,
  forwarded: false,
  sources: [],
  flight: undefined,
  movedBytes: SIZE,
  outcome: 'served' as const,
  ...different,
});

describe('followTransfer()', () => {
  test.each<[string, Asked, Partial<EndedTransfer>]>([
    ['a blob of this node', { kind: 'blobs', has: true }, { sources: [from('local')] }],
    [
      'a blob for another node',
      { kind: 'blobs', has: true, forwarded: true },
      { sources: [from('local')], forwarded: true },
    ],
    ['a blob of a peer', { kind: 'blobs', peers: [{}] }, { sources: [from('10.0.0.1')] }],
    [
      'a blob whose first peer broke',
      { kind: 'blobs', peers: [{ breaksAfter: 10, breaks: 'stalled' }, {}] },
      { sources: [from('10.0.0.1', 10, 'stalled'), from('10.0.0.2', SIZE - 10)], outcome: 'resumed' },
    ],
    [
      'a blob that nobody could go on with',
      { kind: 'blobs', peers: [{ breaksAfter: 10 }] },
      { sources: [from('10.0.0.1', 10, 'ended-early')], movedBytes: 10, outcome: 'broken-off' },
    ],
    [
      'a blob whose client left',
      { kind: 'blobs', peers: [{}], leavesAfter: 10 },
      { sources: [from('10.0.0.1', 10, 'client-gone')], movedBytes: 10, outcome: 'client-gone' },
    ],
    [
      'a blob that nobody has',
      { kind: 'blobs' },
      { movedBytes: 0, outcome: 'missing', missing: 'no-record' },
    ],
    [
      'a blob for which there is no room',
      { kind: 'blobs', peers: [{}], isFull: true },
      { movedBytes: 0, outcome: 'missing', missing: 'overloaded' },
    ],
    [
      'a manifest of this node',
      { kind: 'manifests', reference: 'v1', has: true },
      { kind: 'manifest', tag: 'v1', sources: [from('local')] },
    ],
    [
      'a manifest of a peer',
      { kind: 'manifests', reference: 'v1', peers: [{}], method: 'HEAD' },
      { kind: 'manifest', tag: 'v1', sources: [from('10.0.0.1')] },
    ],
    [
      'a tag that nobody has',
      { kind: 'manifests', reference: 'v1' },
      {
        kind: 'manifest',
        tag: 'v1',
        digest: undefined,
        movedBytes: 0,
        outcome: 'missing',
        missing: 'no-record',
      },
    ],
  ])('tells of %s', async (_, asked, expected) => {
    expect(await told(asked)).toEqual([transferOf(expected)]);
  });

  test.each([
    ['blob', { kind: 'blobs' }],
    ['manifest', { kind: 'manifests' }],
  ] as const)('tells which part a flight had in a %s', async (kind, asked) => {
    const peer = { id: 'p1', addresses: ['10.0.0.1'] };
    const flights = createScriptedFlights(async () => ({ name: 'p1', peer, leader: undefined }));
    const flight = {
      role: 'holder' as const,
      parent: { origin: '10.0.0.1', peer: 'p1' },
      heldMs: expect.any(Number),
      aside: undefined,
    };
    expect(await told({ ...asked, peers: [{}], flights })).toEqual([
      transferOf({ kind, sources: [from('10.0.0.1')], flight }),
    ]);
  });

  test.each<[string, Asked]>([
    ['a HEAD that the store answers', { kind: 'manifests', method: 'HEAD', has: true }],
    ['a HEAD for a blob', { kind: 'blobs', method: 'HEAD', peers: [{}] }],
    ['what another node asks for in vain', { kind: 'blobs', forwarded: true }],
    ['the same of a manifest', { kind: 'manifests', forwarded: true }],
  ])('tells nothing of %s', async (_, asked) => {
    expect(await told(asked)).toEqual([]);
  });

  test('tells once of a manifest that a HEAD fetched by tag and a GET takes by digest', async () => {
    const head = { kind: 'manifests', reference: 'v1', method: 'HEAD', peers: [{}] } as const;
    const transfers = await told(head, { kind: 'manifests' });
    expect(transfers.map(({ tag }) => tag)).toEqual(['v1']);
  });

  test('tells the pieces of one peer as one source', () => {
    const ended: EndedTransfer[] = [];
    const follower = followTransfer(
      { clock: systemClock, transferEnded: (transfer) => ended.push(transfer) },
      { path: { kind: 'blobs', ...NAME, digest: DIGEST }, forwarded: false } as unknown as AdmittedRequest,
    );
    for (const origin of ['a', 'b', 'a', 'b']) follower.moved(origin, { how: 'complete', movedBytes: 5 });
    follower.moved('a', { how: 'source-broken', movedBytes: 1, reason: 'slow' });
    follower.ended(DIGEST, 'served');
    expect(ended[0]?.movedBytes).toBe(21);
    expect(ended[0]?.sources).toEqual([
      { origin: 'a', movedBytes: 10, ended: 'complete' },
      { origin: 'b', movedBytes: 10, ended: 'complete' },
      { origin: 'a', movedBytes: 1, ended: 'slow' },
    ]);
  });

  test('keeps the last 8 sources and the sum over all', () => {
    const ended: EndedTransfer[] = [];
    const path = parseDistributionPath(`/v2/lab/a/blobs/${DIGEST}`, NAME.registry);
    const request = { path, forwarded: false } as AdmittedRequest;
    const deps = { clock: systemClock, transferEnded: (each: EndedTransfer) => void ended.push(each) };
    const followed = followTransfer(deps, request);
    for (let n = 0; n < 100; n++) {
      followed.moved(String(n), { how: 'source-broken', movedBytes: 2, reason: 'stalled' });
    }
    followed.ended(DIGEST, 'broken-off');
    expect(ended[0]?.movedBytes).toBe(200);
    expect(ended[0]?.sources.map(({ origin }) => origin)).toEqual(
      Array.from({ length: 8 }, (_, n) => String(92 + n)),
    );
  });
});
