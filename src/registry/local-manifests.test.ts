import { describe, expect, test } from 'bun:test';
import { createTrustingVerifier } from '../integrity/testing/trusting-verifier.ts';
import { silentLogger } from '../observe/log.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { MAX_MANIFEST_BYTES } from '../oci/media-type.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { createLocalManifests } from './local-manifests.ts';
import { createManifestCache } from './manifest-cache.ts';

const MANIFEST = new TextEncoder().encode(JSON.stringify({ config: {}, layers: [] }));
const LAYER = new Uint8Array(1000).fill(7);
const DIGEST = digestOf(MANIFEST);
const LAYER_DIGEST = digestOf(LAYER);

function create(
  contents: readonly Uint8Array[],
  { sizeBytes = undefined as number | undefined, cacheBytes = 1000 } = {},
) {
  const reads: Digest[] = [];
  const blobs = new Map(contents.map((bytes) => [digestOf(bytes), bytes]));
  const verifier = createTrustingVerifier();
  const local = createLocalManifests({
    verifier,
    store: {
      stat: async (digest) => {
        const bytes = blobs.get(digest);
        return bytes && { digest, sizeBytes: sizeBytes ?? bytes.length, path: 'file', stamp: 0 };
      },
      read: async (digest) => {
        reads.push(digest);
        await new Promise(setImmediate);
        // The caller's, as the contract says.
        return blobs.get(digest)?.slice();
      },
    },
    cache: createManifestCache(createVirtualClock(), { maxBytes: cacheBytes }),
    logger: silentLogger,
  });
  return { local, reads, blobs, doubted: verifier.doubted };
}

describe('createLocalManifests()', () => {
  test('read() reads a manifest once for all that ask at the same time, and keeps it', async () => {
    const { local, reads } = create([MANIFEST]);
    const found = await Promise.all(Array.from({ length: 5 }, () => local.read(DIGEST, {})));
    expect(found.map((manifest) => manifest?.digest)).toEqual(Array(5).fill(DIGEST));
    expect(await local.read(DIGEST, {})).toMatchObject({ origin: 'local' });
    expect(reads).toEqual([DIGEST]);
  });

  test('read() reads again what the cache has no room for', async () => {
    const { local, reads } = create([MANIFEST], { cacheBytes: 10 });
    await local.read(DIGEST, {});
    await local.read(DIGEST, {});
    expect(reads).toHaveLength(2);
  });

  test('what was read and is no manifest is told from its digest from then on', async () => {
    const { local, reads } = create([LAYER]);
    expect([await local.stat(LAYER_DIGEST, {}), local.isOther(LAYER_DIGEST)]).toEqual([LAYER.length, false]);
    expect(await local.read(LAYER_DIGEST, {})).toBeUndefined();
    expect([await local.stat(LAYER_DIGEST, {}), local.isOther(LAYER_DIGEST)]).toEqual([undefined, true]);
    expect(reads).toHaveLength(1);
  });

  test('read() gives nothing for content that does not have its digest, and looks again', async () => {
    const { local, reads, blobs, doubted } = create([MANIFEST]);
    blobs.set(DIGEST, LAYER);
    expect(await local.read(DIGEST, {})).toBeUndefined();
    expect(doubted).toEqual([DIGEST]);
    expect(local.isOther(DIGEST)).toBe(false);
    blobs.set(DIGEST, MANIFEST);
    expect(await local.read(DIGEST, {})).toBeDefined();
    expect(reads).toHaveLength(2);
  });

  test('stat() is undefined for what is absent or larger than a manifest may be', async () => {
    const { local } = create([MANIFEST], { sizeBytes: MAX_MANIFEST_BYTES + 1 });
    expect([await local.stat(DIGEST, {}), await local.stat(LAYER_DIGEST, {})]).toEqual([
      undefined,
      undefined,
    ]);
  });

  test('read() ends with the signal of the caller, and the read goes on for the others', async () => {
    const { local, reads } = create([MANIFEST]);
    const over = new AbortController();
    const left = local.read(DIGEST, { signal: over.signal }).catch((error: unknown) => error);
    const stays = local.read(DIGEST, {});
    over.abort(new Error('left'));
    expect(await left).toMatchObject({ message: 'left' });
    expect(await stays).toBeDefined();
    expect(reads).toHaveLength(1);
  });
});
