import { describe, expect, test } from 'bun:test';
import { silentLogger } from '../observe/log.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import type { Descriptor } from '../oci/manifest.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';
import { until } from '../runtime/conditions.fixture.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { StoreUnavailableError } from '../store/content-store.ts';
import { createLayerPrefetch } from './layer-prefetch.ts';

const digest = (index: number): Digest => digestOf(Buffer.from(`blob ${index}`));
const descriptor = (index: number) => ({ digest: digest(index), size: 1 });
const manifestOf = (value: unknown) => {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  return { digest: digestOf(bytes), bytes, mediaType: MEDIA_TYPE.ociManifest, origin: 'local' };
};
const image = (layers: number, first = 1) =>
  manifestOf({
    config: descriptor(0),
    layers: Array.from({ length: layers }, (_, index) => descriptor(first + index)),
  });

function setUp({
  here = [],
  isAway = false,
}: { readonly here?: readonly Digest[]; readonly isAway?: boolean } = {}) {
  const clock = createVirtualClock();
  const prefetched: (readonly string[])[] = [];
  const learned: Descriptor[] = [];
  let asked = 0;
  const layerPrefetch = createLayerPrefetch({
    store: {
      async stat(digest) {
        asked++;
        if (isAway) throw new StoreUnavailableError('containerd does not answer');
        return here.includes(digest) ? { digest, sizeBytes: 1, path: '', stamp: 0 } : undefined;
      },
    },
    transfer: { learnSizes: (references) => void learned.push(...references) },
    prefetch: (keys) => void prefetched.push(keys),
    clock,
    logger: silentLogger,
  });
  return { clock, layerPrefetch, prefetched, learned, asked: () => asked };
}

/** Gives what is under way its turn: nothing here waits for anything but turns. */
const settle = async () => {
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
};

describe('createLayerPrefetch()', () => {
  test('looks up what the store lacks of a manifest, together, and not before the caller goes on', async () => {
    const { layerPrefetch, prefetched, asked } = setUp({ here: [digest(2)] });
    layerPrefetch(image(3));
    expect(asked()).toBe(0);
    await until(() => prefetched.length > 0);
    expect(prefetched).toEqual([[digest(0), digest(1), digest(3)]]);
  });

  test.each([
    ['an index', manifestOf({ manifests: [descriptor(1)] })],
    ['no manifest', { ...manifestOf({}), bytes: Buffer.from('{') }],
    ['an image of which everything is here', image(1)],
  ])('looks nothing up for %s', async (_what, manifest) => {
    const { layerPrefetch, prefetched } = setUp({ here: [digest(0), digest(1)] });
    layerPrefetch(manifest);
    await settle();
    expect(prefetched).toEqual([]);
  });

  test('learns the sizes of config and layers, also while containerd is away, and not those that an index says', async () => {
    const { layerPrefetch, learned } = setUp({ isAway: true });
    layerPrefetch(manifestOf({ manifests: [descriptor(9)] }));
    layerPrefetch(image(2));
    await settle();
    expect(learned.map(({ digest, sizeBytes }) => [digest, sizeBytes])).toEqual(
      [0, 1, 2].map((index) => [digest(index), 1]),
    );
  });

  test('looks nothing up while containerd is away', async () => {
    const { layerPrefetch, prefetched } = setUp({ isAway: true });
    layerPrefetch(image(1));
    await settle();
    expect(prefetched).toEqual([]);
  });

  test('looks the same manifest up again only after some seconds', async () => {
    const { clock, layerPrefetch, prefetched } = setUp();
    layerPrefetch(image(1));
    await until(() => prefetched.length === 1);
    layerPrefetch(image(1));
    layerPrefetch(image(1, 2));
    await until(() => prefetched.length === 2);
    await clock.advance(5000);
    layerPrefetch(image(1));
    await until(() => prefetched.length === 3);
    expect(prefetched.map(([, layer]) => layer)).toEqual([digest(1), digest(2), digest(1)]);
  });

  test('looks up a bounded number of layers, each once', async () => {
    const { layerPrefetch, prefetched } = setUp();
    layerPrefetch(image(1000));
    await until(() => prefetched.length === 1);
    expect(prefetched[0]).toHaveLength(64);
    layerPrefetch(manifestOf({ config: descriptor(1), layers: [descriptor(1), descriptor(1)] }));
    await until(() => prefetched.length === 2);
    expect(prefetched[1]).toEqual([digest(1)]);
  });
});
