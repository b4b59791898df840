import { expect, test } from 'bun:test';
import { createTrustingVerifier } from '../integrity/testing/trusting-verifier.ts';
import { silentLogger } from '../observe/log.ts';
import { digestOf } from '../oci/digest.ts';
import { parseDistributionPath } from '../oci/distribution-path.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { planMemory } from '../runtime/memory/memory-plan.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import type { DownloadOutcome } from '../transfer/serve-download.ts';
import {
  createScriptedClient,
  createScriptedCluster,
  type PeerScript,
} from '../transfer/testing/scripted-cluster.ts';
import { createContentHandlers } from './content-handlers.ts';
import { createRegistryShares } from './registry-shares.ts';
import type { AdmittedRequest, BlobContentRequest } from './content-request.ts';

const MANIFEST = new TextEncoder().encode(JSON.stringify({ config: {}, layers: [] }));
const DIGEST = digestOf(MANIFEST);

interface SetUp {
  /** What the store has. */
  readonly manifest: Uint8Array | undefined;
  readonly peers?: readonly PeerScript[];
  /** Gets the digests of manifests that were looked ahead of. */
  readonly looked?: string[];
  /** Of what is kept. */
  readonly clock?: Clock;
  /** How another node is told of a download; the store has the content from then on, or never. */
  readonly ofDownload?: { readonly outcome: DownloadOutcome; readonly isThere: boolean };
}

const create = ({ manifest, peers = [], looked = [], clock = systemClock, ofDownload }: SetUp) => {
  let isThere = ofDownload === undefined;
  return createContentHandlers({
    verifier: createTrustingVerifier(),
    store: {
      resolve: async () => undefined,
      stat: async (digest) =>
        manifest === undefined || !isThere
          ? undefined
          : { digest, sizeBytes: manifest.length, path: 'file', stamp: 0 },
      read: async () => manifest,
    },
    policy: { sharesDigest: () => true },
    transfer: {
      ...createScriptedCluster(MANIFEST, peers).transfer,
      async serveDownload() {
        isThere = ofDownload?.isThere === true;
        return ofDownload?.outcome ?? 'absent';
      },
    },
    logger: silentLogger,
    clock,
    shares: createRegistryShares(systemClock, planMemory()),
    manifestCacheBytes: 1_000_000,
    contentMissing: () => {},
    mirrored: () => {},
    responseBroken: () => {},
    uploadRefused: () => {},
    transferEnded: () => {},
    layerPrefetch: ({ digest }) => void looked.push(digest),
  });
};

interface Given {
  readonly has?: boolean;
  readonly atPeer?: boolean;
  readonly forwarded?: boolean;
  readonly method?: 'GET' | 'HEAD';
}

test.each<[string, Given, string[]]>([
  ['has itself', { has: true }, [DIGEST]],
  ['gets from a peer', { atPeer: true }, [DIGEST]],
  ['gets from a peer for a HEAD', { atPeer: true, method: 'HEAD' }, [DIGEST]],
  ['cannot find', {}, []],
  ['has itself, when another node asks', { has: true, forwarded: true }, []],
])(
  'createContentHandlers() looks ahead of a manifest as expected that this node %s',
  async (_what, given, expected) => {
    const { has = false, atPeer = false, forwarded = false, method = 'GET' } = given;
    const looked: string[] = [];
    const peers = atPeer ? [{}] : [];
    const handlers = create({ manifest: has ? MANIFEST : undefined, peers, looked });
    const path = parseDistributionPath(`/v2/lab/a/manifests/${DIGEST}`, 'registry.lab:5000');
    const { client } = createScriptedClient();
    const request = { method, path, rangeHeader: undefined, forwarded, client } as AdmittedRequest;
    // A 404 is an error that the app answers.
    await handlers.manifest(request).catch(() => {});
    expect(looked).toEqual(expected);
  },
);

test.each([
  { sizeBytes: 7 * 1024, isMoved: false },
  { sizeBytes: 20 * 1024, isMoved: true },
  { sizeBytes: 100 * 1024, isMoved: true },
])(
  'createContentHandlers() copies no manifest of $sizeBytes bytes for its client: $isMoved',
  async ({ sizeBytes, isMoved }) => {
    const manifest = new TextEncoder().encode(
      JSON.stringify({ config: {}, layers: [], annotations: { padding: 'x'.repeat(sizeBytes) } }),
    );
    const digest = digestOf(manifest);
    const path = parseDistributionPath(`/v2/lab/a/manifests/${digest}`, 'registry.lab:5000');
    const { client, body, head } = createScriptedClient();
    const request = { method: 'GET', path, rangeHeader: undefined, forwarded: false, client };
    const { response } = await create({ manifest }).manifest(request as unknown as AdmittedRequest);
    expect(client.begun).toBe(isMoved);
    const sent = isMoved ? body() : (response.body ?? new Uint8Array());
    expect(Buffer.compare(sent, manifest)).toBe(0);
    expect(head()?.contentLength).toBe(isMoved ? manifest.length : undefined);
  },
);

test.each(['GET', 'HEAD'] as const)(
  'createContentHandlers() answers 404 to a %s of a manifest that every holder has deleted, seconds after it was fetched',
  async (method) => {
    const clock = createVirtualClock();
    const holder: { status?: number } = {};
    const handlers = create({ manifest: undefined, peers: [holder], clock });
    const path = parseDistributionPath(`/v2/lab/a/manifests/${DIGEST}`, 'registry.lab:5000');
    const { client } = createScriptedClient();
    const request = { method, path, rangeHeader: undefined, forwarded: false, client };
    const ask = async () =>
      handlers.manifest(request as unknown as AdmittedRequest).then(({ response }) => response.status);
    expect(await ask()).toBe(200);
    holder.status = 404;
    // What was fetched for a HEAD is there for the GET that follows, and asking keeps it no longer.
    const statuses: number[] = [];
    for (let seconds = 0; seconds < 8; seconds++) {
      statuses.push(await ask());
      await clock.advance(1000);
    }
    expect(statuses).toEqual([200, 200, 200, 200, 200, 404, 404, 404]);
  },
);

test.each([
  ['that this node has given up', 'given-up', false, [404, 'given-up']],
  ['that was given up, and whose content is there all the same', 'given-up', true, [200, undefined]],
  ['that does not go on yet', 'queued', false, [503, 'queued']],
  ['of which there is none', 'absent', false, [404, undefined]],
] as const)(
  'createContentHandlers() answers another node that asks for a download %s',
  async (_, outcome, isThere, expected) => {
    const handlers = create({ manifest: MANIFEST, ofDownload: { outcome, isThere } });
    const path = parseDistributionPath(`/v2/lab/a/blobs/${DIGEST}`, 'registry.lab:5000');
    const { client } = createScriptedClient();
    const request = { method: 'GET', path, rangeHeader: undefined, forwarded: true, isFlight: true, client };
    const { response } = await handlers.blob(request as unknown as BlobContentRequest);
    expect([response.status, response.headers['x-spegel-flight']]).toEqual([...expected]);
  },
);
