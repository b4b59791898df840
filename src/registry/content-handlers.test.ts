import { expect, test } from 'bun:test';
import { silentLogger } from '../observe/log.ts';
import { digestOf } from '../oci/digest.ts';
import { parseDistributionPath } from '../oci/distribution-path.ts';
import { systemClock } from '../runtime/clock.ts';
import { planMemory } from '../runtime/memory/memory-plan.ts';
import { createScriptedClient, createScriptedCluster } from '../transfer/testing/scripted-cluster.ts';
import { createContentHandlers } from './content-handlers.ts';
import { createRegistryShares } from './registry-shares.ts';
import type { AdmittedRequest } from './content-request.ts';

const MANIFEST = new TextEncoder().encode(JSON.stringify({ config: {}, layers: [] }));
const DIGEST = digestOf(MANIFEST);

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
    const handlers = createContentHandlers({
      store: {
        resolve: async () => undefined,
        stat: async (digest) => (has ? { digest, sizeBytes: MANIFEST.length, path: 'file' } : undefined),
        read: async () => (has ? MANIFEST : undefined),
      },
      policy: { sharesDigest: () => true },
      transfer: createScriptedCluster(MANIFEST, atPeer ? [{}] : []).transfer,
      logger: silentLogger,
      clock: systemClock,
      shares: createRegistryShares(systemClock, planMemory()),
      manifestCacheBytes: 1_000_000,
      contentMissing: () => {},
      mirrored: () => {},
      responseBroken: () => {},
      transferEnded: () => {},
      lookAhead: ({ digest }) => void looked.push(digest),
    });
    const path = parseDistributionPath(`/v2/lab/a/manifests/${DIGEST}`, 'registry.lab:5000');
    const { client } = createScriptedClient();
    const request = { method, path, rangeHeader: undefined, forwarded, client } as AdmittedRequest;
    // A 404 is an error that the app answers.
    await handlers.manifest(request).catch(() => {});
    expect(looked).toEqual(expected);
  },
);
