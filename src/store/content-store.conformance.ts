import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readFile } from 'node:fs/promises';
import { type Digest, digestOf, parseDigest } from '../oci/digest.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';
import { until } from '../runtime/conditions.fixture.ts';
import type { ContentStore, StoreEvent } from './content-store.ts';
import { type DownloadsUnderTest, testDownloads } from './downloads.conformance.ts';

/** An image for tests: a manifest, and the config and layers that it names. */
export interface TestImage {
  readonly manifest: Uint8Array;
  readonly blobs: readonly Uint8Array[];
}

/** The store under test, and the hands that change what its node has. */
export interface StoreUnderTest extends AsyncDisposable, DownloadsUnderTest {
  readonly store: ContentStore;
  /** Puts an image's content and then its name there. An older image of that name is replaced. */
  putImage(name: string, image: TestImage): Promise<void>;
  removeImage(name: string): Promise<void>;
  /** Puts a blob there that no image names. */
  putBlob(bytes: Uint8Array): Promise<void>;
  removeBlob(digest: Digest): Promise<void>;
}

/** Long on any machine, and far from the minute after which a store looks for changes that it was not told of. */
const EVENT_DEADLINE_MS = 10_000;
/** The first event may wait for the backend's start. */
const START_DEADLINE_MS = 20_000;

const encode = (text: string) => new TextEncoder().encode(text);

/** A small image whose content depends on the seed only. */
export function createTestImage(seed: string): TestImage {
  const config = encode(
    JSON.stringify({ architecture: 'amd64', os: 'linux', seed, rootfs: { type: 'layers', diff_ids: [] } }),
  );
  const layer = encode(`layer of ${seed}`);
  const descriptor = (mediaType: string, bytes: Uint8Array) => ({
    mediaType,
    digest: digestOf(bytes),
    size: bytes.byteLength,
  });
  const manifest = encode(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.ociManifest,
      config: descriptor('application/vnd.oci.image.config.v1+json', config),
      layers: [descriptor('application/vnd.oci.image.layer.v1.tar', layer)],
    }),
  );
  return { manifest, blobs: [config, layer] };
}

/** What every ContentStore must do. Call it at the top level of a test file. */
export function testContentStore(name: string, create: () => Promise<StoreUnderTest>): void {
  describe(`${name} as a ContentStore`, () => {
    let subject: StoreUnderTest;
    beforeAll(async () => {
      subject = await create();
    }, 30_000);
    afterAll(() => subject[Symbol.asyncDispose]());
    testDownloads(() => subject);

    test('stat() tells path and size of a blob, and undefined for what is not there', async () => {
      const bytes = encode('blob for stat');
      await subject.putBlob(bytes);
      const blob = await subject.store.stat(digestOf(bytes));
      expect(blob).toMatchObject({ digest: digestOf(bytes), sizeBytes: bytes.byteLength });
      expect(new Uint8Array(await readFile(blob?.path ?? ''))).toEqual(bytes);
      expect(await subject.store.stat(digestOf(encode('absent')))).toBeUndefined();
      expect(await subject.store.stat(parseDigest(`sha512:${'0'.repeat(128)}`))).toBeUndefined();
    });

    test('stat() gives the bytes of a blob that is small enough, where they were asked for', async () => {
      const bytes = encode('blob with bytes');
      await subject.putBlob(bytes);
      const bytesOf = async (bytesUpTo?: number) =>
        (await subject.store.stat(digestOf(bytes), { bytesUpTo }))?.bytes;
      expect(await bytesOf()).toBeUndefined();
      expect(await bytesOf(bytes.byteLength - 1)).toBeUndefined();
      // They may not be at hand at first.
      await until(async () => (await bytesOf(bytes.byteLength)) !== undefined, EVENT_DEADLINE_MS);
      expect(await bytesOf(bytes.byteLength)).toEqual(bytes);
    });

    test('stat() forgets a blob that was removed', async () => {
      const bytes = encode('blob to remove');
      await subject.putBlob(bytes);
      expect(await subject.store.stat(digestOf(bytes))).toBeDefined();
      await subject.removeBlob(digestOf(bytes));
      await until(async () => (await subject.store.stat(digestOf(bytes))) === undefined, EVENT_DEADLINE_MS);
    });

    test('read() gives the bytes up to the limit, RangeError above it, undefined for what is not there', async () => {
      const bytes = encode('blob to read');
      await subject.putBlob(bytes);
      const read = await subject.store.read(digestOf(bytes), bytes.byteLength);
      expect(Buffer.from(read ?? []).equals(bytes)).toBe(true);
      expect(await rejection(subject.store.read(digestOf(bytes), bytes.byteLength - 1))).toBeInstanceOf(
        RangeError,
      );
      expect(await subject.store.read(digestOf(encode('absent')), 10)).toBeUndefined();
    });

    test('resolve() follows a tag when it comes, moves and goes', async () => {
      const [before, after] = [createTestImage('before'), createTestImage('after')];
      const resolve = () => subject.store.resolve('registry.test:5000', 'team/app', 'v1');
      expect(await resolve()).toBeUndefined();
      await subject.putImage('registry.test:5000/team/app:v1', before);
      expect(await resolve()).toBe(digestOf(before.manifest));
      await subject.putImage('registry.test:5000/team/app:v1', after);
      expect(await resolve()).toBe(digestOf(after.manifest));
      expect(await subject.store.resolve('registry.test', 'team/app', 'v1')).toBeUndefined();
      await subject.removeImage('registry.test:5000/team/app:v1');
      expect(await resolve()).toBeUndefined();
    });

    test('list() has tags and blobs, references() the names of what images lead to', async () => {
      const image = createTestImage('listed');
      const loose = encode('loose blob');
      await subject.putImage('registry.test/listed:v1', image);
      await subject.putBlob(loose);
      const { tags, blobs } = await subject.store.list();
      expect(tags).toContainEqual({
        registry: 'registry.test',
        repository: 'listed',
        tag: 'v1',
        digest: digestOf(image.manifest),
      });
      for (const bytes of [image.manifest, ...image.blobs]) {
        expect(blobs.has(digestOf(bytes))).toBe(true);
        expect(subject.store.references(digestOf(bytes))).toEqual([
          { registry: 'registry.test', repository: 'listed', tag: 'v1' },
        ]);
      }
      expect(blobs.has(digestOf(loose))).toBe(true);
      expect(subject.store.references(digestOf(loose))).toEqual([]);
      expect(subject.store.registriesOf('listed', 'v1')).toEqual(['registry.test']);
      expect(subject.store.registriesOf('listed', 'v2')).toEqual([]);
      expect(
        ['registry.test', 'registry.test:5000', ''].map((name) => subject.store.hasRegistry(name)),
      ).toEqual([true, false, false]);
    });

    test('calls reject with the reason of an aborted signal', async () => {
      const reason = new Error('enough');
      const options = { signal: AbortSignal.abort(reason) };
      const digest = digestOf(encode('any'));
      expect(await rejection(subject.store.stat(digest, options))).toBe(reason);
      expect(await rejection(subject.store.read(digest, 1, options))).toBe(reason);
      expect(await rejection(subject.store.list(options))).toBe(reason);
      expect(await rejection(subject.store.resolve('r.test', 'a', 'b', options))).toBe(reason);
    });

    test('watch() begins with a resync and ends without throwing when the signal aborts', async () => {
      const bytes = encode('there before the watch');
      await subject.putBlob(bytes);
      await using watch = startWatch(subject.store);
      const first = await watch.next(() => true, START_DEADLINE_MS);
      // A backend may tell of the last milliseconds' changes right after it.
      if (first.kind === 'resync' && first.snapshot.blobs.has(digestOf(bytes))) return;
      expect(first.kind).toBe('resync');
      await watch.next((event) => event.kind === 'blob-added' && event.digest === digestOf(bytes));
    });

    test('watch() tells every watcher of blobs that come and go', async () => {
      await using one = startWatch(subject.store);
      await using two = startWatch(subject.store);
      for (const watch of [one, two]) await watch.next((event) => event.kind === 'resync', START_DEADLINE_MS);
      const bytes = encode('watched blob');
      const digest = digestOf(bytes);
      await subject.putBlob(bytes);
      for (const watch of [one, two]) {
        await watch.next((event) => event.kind === 'blob-added' && event.digest === digest);
      }
      await subject.removeBlob(digest);
      for (const watch of [one, two]) {
        await watch.next((event) => event.kind === 'blob-removed' && event.digest === digest);
      }
    });

    test('watch() tells of tags that come, move and go', async () => {
      await using watch = startWatch(subject.store);
      await watch.next((event) => event.kind === 'resync', START_DEADLINE_MS);
      const [before, after] = [createTestImage('tag before'), createTestImage('tag after')];
      const added = ({ manifest }: TestImage) =>
        watch.next((event) => event.kind === 'tag-added' && event.tag.digest === digestOf(manifest));
      await subject.putImage('registry.test/watched:v1', before);
      expect(await added(before)).toMatchObject({
        tag: { registry: 'registry.test', repository: 'watched', tag: 'v1' },
      });
      await subject.putImage('registry.test/watched:v1', after);
      await added(after);
      await subject.removeImage('registry.test/watched:v1');
      await watch.next((event) => event.kind === 'tag-removed' && event.tag.repository === 'watched');
    });
  });
}

/** What the work rejected with, undefined if it did not. */
export async function rejection(work: unknown): Promise<unknown> {
  try {
    await work;
    return undefined;
  } catch (error) {
    return error;
  }
}

/** A watch under way. */
export interface TestWatch extends AsyncDisposable {
  /** The first event from here on that is wanted; rejects when the time is over. Others are dropped. */
  next(wanted: (event: StoreEvent) => boolean, deadlineMs?: number): Promise<StoreEvent>;
}

/** Starts a watch that ends, and must end well, when it is disposed. */
export function startWatch(store: ContentStore): TestWatch {
  const abort = new AbortController();
  const events = store.watch(abort.signal)[Symbol.asyncIterator]();
  return {
    async next(wanted, deadlineMs = EVENT_DEADLINE_MS) {
      const timer = setTimeout(() => abort.abort(), deadlineMs);
      try {
        for (;;) {
          const { value, done } = await events.next();
          if (done === true) throw new Error(`No such event within ${deadlineMs} ms`);
          if (wanted(value)) return value;
        }
      } finally {
        clearTimeout(timer);
      }
    },
    async [Symbol.asyncDispose]() {
      abort.abort();
      while ((await events.next()).done !== true);
    },
  };
}
