import { afterEach, describe, expect, test } from 'bun:test';
import { readFile } from 'node:fs/promises';
import { type ContainerdStore, createContainerdStore } from '../../../src/containerd/containerd-store.ts';
import { silentLogger } from '../../../src/observe/log.ts';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { until } from '../../../src/runtime/conditions.fixture.ts';
import { createTar } from '../../lab/tar.ts';
import { createPlainContainerd, type PlainContainerd } from './plain-containerd.ts';
import { createSlowRegistry, type SlowImage } from './slow-registry.ts';

const DEADLINE_MS = 10_000;
const MIB = 1024 * 1024;

const perTest: AsyncDisposable[] = [];
afterEach(async () => {
  for (const resource of perTest.splice(0).toReversed()) await resource[Symbol.asyncDispose]();
});

interface Started {
  readonly containerd: PlainContainerd;
  /** A layer that can be unpacked, a little longer than 3 MiB. */
  readonly layer: Uint8Array;
  readonly digest: Digest;
  /** The image of that layer. */
  readonly image: SlowImage;
}

async function start(): Promise<Started> {
  const containerd = await createPlainContainerd();
  perTest.push(containerd);
  await containerd.start();
  const registry = createSlowRegistry();
  perTest.push(registry);
  const content = Buffer.alloc(3 * MIB, crypto.randomUUID());
  const layer = createTar([{ name: 'file', content }]);
  const digest = digestOf(layer);
  return {
    containerd,
    layer,
    digest,
    image: registry.addImage({ digest, sizeBytes: layer.byteLength }),
  };
}

function startStore(containerd: PlainContainerd): ContainerdStore {
  const store = createContainerdStore({ clock: systemClock, logger: silentLogger }, containerd);
  perTest.push(store);
  return store;
}

describe('downloads over a real containerd', () => {
  test('tells of a pull from its begin to its blob', async () => {
    const { containerd, layer, digest, image } = await start();
    const store = startStore(containerd);
    const sizes: (number | undefined)[] = [];
    store.downloads.subscribe((changed) => {
      if (changed === digest) sizes.push(store.downloads.get(digest)?.writtenBytes);
    });
    const pull = containerd.startPull(image.name, { unpack: true });
    // It is seen before the registry has sent anything.
    await until(() => store.downloads.get(digest)?.writtenBytes === 0, DEADLINE_MS);
    expect(store.downloads.get(digest)).toMatchObject({ sizeBytes: layer.byteLength, isRunning: true });
    for (const writtenBytes of [MIB, 2 * MIB, 3 * MIB]) {
      image.send(layer.subarray(writtenBytes - MIB, writtenBytes));
      await until(() => store.downloads.get(digest)?.writtenBytes === writtenBytes, DEADLINE_MS);
      const { path = '', isRunning } = store.downloads.get(digest) ?? {};
      expect(isRunning).toBe(true);
      expect((await readFile(path)).equals(layer.subarray(0, writtenBytes))).toBe(true);
    }
    image.send(layer.subarray(3 * MIB));
    await pull.end();
    await until(() => store.downloads.get(digest) === undefined, DEADLINE_MS);
    await until(async () => (await store.stat(digest))?.sizeBytes === layer.byteLength, DEADLINE_MS);
    expect([...store.downloads.all()]).toEqual([]);
    expect(sizes.at(-1)).toBeUndefined();
    const told = sizes.slice(0, -1).map((size) => size ?? Infinity);
    expect(told).toEqual(told.toSorted((a, b) => a - b));
  });

  test.each([0, MIB])(
    'tells of a pull that is cancelled after %i bytes, and of the next one',
    async (sent) => {
      const { containerd, layer, digest, image } = await start();
      const store = startStore(containerd);
      const cancelled = containerd.startPull(image.name, { unpack: true });
      image.send(layer.subarray(0, sent));
      await until(
        () => store.downloads.get(digest)?.writtenBytes === sent && image.requests.length > 0,
        DEADLINE_MS,
      );
      await cancelled.cancel();
      await until(() => store.downloads.get(digest)?.isRunning !== true, DEADLINE_MS);
      const pull = containerd.startPull(image.name, { unpack: true });
      await until(() => image.requests.length === 2, DEADLINE_MS);
      image.send(layer.subarray(sent, 2 * MIB));
      await until(() => {
        const download = store.downloads.get(digest);
        return download?.isRunning === true && download.writtenBytes === 2 * MIB;
      }, DEADLINE_MS);
      image.send(layer.subarray(2 * MIB));
      await pull.end();
      await until(() => store.downloads.get(digest) === undefined, DEADLINE_MS);
      await until(async () => (await store.stat(digest)) !== undefined, DEADLINE_MS);
    },
  );

  test('finds a download that was there before the store, while containerd hangs and after its death', async () => {
    const { containerd, layer, digest, image } = await start();
    const cancelled = containerd.startPull(image.name, { unpack: true });
    image.send(layer.subarray(0, MIB));
    const early = startStore(containerd);
    await until(() => early.downloads.get(digest)?.writtenBytes === MIB, DEADLINE_MS);
    await containerd.hang();
    const store = startStore(containerd);
    const { downloads } = store;
    await until(() => downloads.get(digest)?.writtenBytes === MIB, DEADLINE_MS);
    expect(downloads.get(digest)).toMatchObject({ sizeBytes: layer.byteLength, isRunning: true });
    expect(store.connected).toBe(false);
    await containerd.kill();
    await cancelled.cancel();
    // A containerd that dies leaves no trace, so the download counts as one that runs and does not grow.
    expect(downloads.get(digest)).toMatchObject({ writtenBytes: MIB, isRunning: true });
    await containerd.start();
    const pull = containerd.startPull(image.name, { unpack: true });
    image.send(layer.subarray(MIB));
    await pull.end();
    await until(() => downloads.get(digest) === undefined, DEADLINE_MS);
  });
});
