import { afterEach, describe, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ContainerdStore, createContainerdStore } from '../../../src/containerd/containerd-store.ts';
import { createLogger } from '../../../src/observe/log.ts';
import { type Digest, digestOf, parseDigest, splitDigest } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { until } from '../../../src/runtime/conditions.fixture.ts';
import {
  createTestImage,
  rejection,
  startWatch,
  type TestImage,
} from '../../../src/store/content-store.conformance.ts';
import { StoreUnavailableError } from '../../../src/store/content-store.ts';
import { createPlainContainerd, type PlainContainerd } from './plain-containerd.ts';

const encode = (text: string) => new TextEncoder().encode(text);
const ABSENT = parseDigest(`sha256:${'a'.repeat(64)}`);

const perTest: AsyncDisposable[] = [];
afterEach(async () => {
  for (const resource of perTest.splice(0).toReversed()) await resource[Symbol.asyncDispose]();
});

async function startContainerd(): Promise<PlainContainerd> {
  const containerd = await createPlainContainerd();
  perTest.push(containerd);
  await containerd.start();
  return containerd;
}

interface StartedStore {
  readonly store: ContainerdStore;
  /** What onConnectionChange was called with. */
  readonly changes: boolean[];
  readonly lines: { readonly level: string; readonly msg: string }[];
}

function startStore(containerd: PlainContainerd): StartedStore {
  const changes: boolean[] = [];
  const lines: { level: string; msg: string }[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line) as { level: string; msg: string });
  const store = createContainerdStore(
    {
      clock: systemClock,
      logger: createLogger({ level: 'debug', write }),
      onConnectionChange: (up) => void changes.push(up),
    },
    containerd,
  );
  perTest.push(store);
  return { store, changes, lines };
}

const blobPath = ({ contentPath }: PlainContainerd, digest: Digest) =>
  join(contentPath, 'blobs', 'sha256', splitDigest(digest).hex);

const importTestImage = (containerd: PlainContainerd, name: string, { manifest, blobs }: TestImage) =>
  containerd.importImage(name, manifest, blobs);

describe('list() over a real containerd', () => {
  test('follows an index with absent platforms, without media types', async () => {
    const containerd = await startContainerd();
    const image = createTestImage('present platform');
    const bare = JSON.parse(new TextDecoder().decode(image.manifest)) as Record<string, unknown>;
    delete bare['mediaType'];
    const manifest = encode(JSON.stringify(bare));
    const size = manifest.byteLength;
    const index = encode(
      JSON.stringify({
        schemaVersion: 2,
        manifests: [
          {
            mediaType: MEDIA_TYPE.ociManifest,
            digest: digestOf(manifest),
            size,
            platform: { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : 'arm64' },
          },
          {
            mediaType: MEDIA_TYPE.ociManifest,
            digest: ABSENT,
            size: 10,
            platform: { os: 'linux', architecture: 'riscv64' },
          },
        ],
      }),
    );
    const name = 'registry.test/multi:v1';
    await containerd.importImage(name, index, [manifest, ...image.blobs]);
    const { store } = startStore(containerd);
    await until(() => store.connected, 10_000);
    const { tags, blobs } = await store.list();
    expect(tags).toEqual([
      { registry: 'registry.test', repository: 'multi', tag: 'v1', digest: digestOf(index) },
    ]);
    for (const bytes of [index, manifest, ...image.blobs]) {
      expect(store.references(digestOf(bytes))).toMatchObject([{ registry: 'registry.test', tag: 'v1' }]);
    }
    expect(blobs.has(ABSENT)).toBe(false);
    expect(store.references(ABSENT)).toHaveLength(1);
  });

  test('skips what is broken and keeps the rest', async () => {
    const containerd = await startContainerd();
    const good = createTestImage('good');
    const corrupt = createTestImage('corrupt');
    const short = createTestImage('short');
    await importTestImage(containerd, 'registry.test/good:v1', good);
    await importTestImage(containerd, 'registry.test/corrupt:v1', corrupt);
    await importTestImage(containerd, 'registry.test/short:v1', short);
    for (const name of [
      `sha256:${'b'.repeat(64)}`,
      'localhost/good:v1',
      'localhost:5000/good:v1',
      '[fd00::1]:5000/good:v1',
      `registry.test/pinned@${digestOf(good.manifest)}`,
      `registry.test/both:v1@${digestOf(good.manifest)}`,
      'import-2026-01-01@nonsense',
      'just-a-name',
      'Registry.test/UPPER:v1',
      '../../etc/passwd:v1',
    ]) {
      await importTestImage(containerd, name, good);
    }
    await writeFile(
      blobPath(containerd, digestOf(corrupt.manifest)),
      'x'.repeat(corrupt.manifest.byteLength),
    );
    await truncate(blobPath(containerd, digestOf(short.manifest)), 3);
    const { store } = startStore(containerd);
    await until(() => store.connected, 10_000);
    const { tags, blobs } = await store.list();
    expect(tags.map(({ registry, repository, tag }) => `${registry}/${repository}:${tag}`).sort()).toEqual([
      '[fd00::1]:5000/good:v1',
      'localhost/good:v1',
      'localhost:5000/good:v1',
      'registry.test/corrupt:v1',
      'registry.test/good:v1',
    ]);
    expect(blobs.has(digestOf(short.manifest))).toBe(false);
    expect(await store.stat(digestOf(short.manifest))).toBeUndefined();
    expect(await store.resolve('registry.test', 'short', 'v1')).toBeUndefined();
    expect(await store.resolve('[fd00::1]:5000', 'good', 'v1')).toBe(digestOf(good.manifest));
  });

  test('leaves out what only another namespace knows, until this one shares it', async () => {
    const containerd = await startContainerd();
    const { store } = startStore(containerd);
    await using watch = startWatch(store);
    await watch.next((event) => event.kind === 'resync', 10_000);
    const image = createTestImage('shared');
    const layer = digestOf(image.blobs[1] ?? new Uint8Array());
    await containerd.importImage('registry.test/shared:v1', image.manifest, image.blobs, {
      namespace: 'other',
    });
    expect(await store.stat(layer)).toBeUndefined();
    expect((await store.list()).blobs.has(layer)).toBe(false);
    await importTestImage(containerd, 'registry.test/shared:v1', image);
    await watch.next((event) => event.kind === 'tag-added' && event.tag.repository === 'shared');
    await until(async () => (await store.stat(layer)) !== undefined);
    // Collected here, while the other namespace keeps it on disk.
    await containerd.ctr(['images', 'rm', '--sync', 'registry.test/shared:v1']);
    await until(async () => (await store.stat(layer)) === undefined, 5000);
    expect(existsSync(blobPath(containerd, layer))).toBe(true);
  });

  test('tells of garbage that was collected', async () => {
    const containerd = await startContainerd();
    const image = createTestImage('garbage');
    await importTestImage(containerd, 'registry.test/garbage:v1', image);
    const { store } = startStore(containerd);
    await using watch = startWatch(store);
    await watch.next((event) => event.kind === 'resync', 10_000);
    await containerd.ctr(['images', 'rm', '--sync', 'registry.test/garbage:v1']);
    const layer = digestOf(image.blobs[1] ?? new Uint8Array());
    await watch.next((event) => event.kind === 'blob-removed' && event.digest === layer);
    expect((await store.list()).blobs.size).toBe(0);
  });
});

describe('createContainerdStore() over a containerd that comes and goes', () => {
  test('waits for a containerd that is not there yet, and for its content folder', async () => {
    const containerd = await createPlainContainerd();
    perTest.push(containerd);
    const { store, changes, lines } = startStore(containerd);
    expect(await rejection(store.list())).toBeInstanceOf(StoreUnavailableError);
    expect(await rejection(store.resolve('registry.test', 'app', 'v1'))).toBeInstanceOf(
      StoreUnavailableError,
    );
    expect(await store.stat(ABSENT)).toBeUndefined();
    await until(() => lines.some(({ level }) => level === 'WARN'));
    await using watch = startWatch(store);
    await containerd.start();
    await watch.next((event) => event.kind === 'resync', 10_000);
    await until(() => store.connected);
    const bytes = encode('first blob ever');
    await containerd.ingest(bytes);
    await watch.next((event) => event.kind === 'blob-added' && event.digest === digestOf(bytes));
    expect(changes).toEqual([true]);
    expect(lines.filter(({ level }) => level === 'WARN')).toHaveLength(1);
  });

  test('serves what it knows while containerd is dead, and resyncs after its restart', async () => {
    const containerd = await startContainerd();
    const image = createTestImage('restart');
    const digest = digestOf(image.manifest);
    await importTestImage(containerd, 'registry.test/restart:v1', image);
    const { store, changes, lines } = startStore(containerd);
    await using watch = startWatch(store);
    await watch.next((event) => event.kind === 'resync' && event.snapshot.tags.length === 1, 10_000);
    await until(() => store.connected);
    await containerd.kill();
    await until(() => !store.connected);
    expect((await store.stat(digest))?.sizeBytes).toBe(image.manifest.byteLength);
    expect(await store.resolve('registry.test', 'restart', 'v1')).toBe(digest);
    expect(await rejection(store.resolve('registry.test', 'restart', 'v2'))).toBeInstanceOf(
      StoreUnavailableError,
    );
    expect(await rejection(store.list())).toBeInstanceOf(StoreUnavailableError);
    await containerd.start();
    const bytes = encode('after the restart');
    await containerd.ingest(bytes);
    await watch.next((event) => event.kind === 'resync', 10_000);
    await until(async () => (await store.stat(digestOf(bytes))) !== undefined);
    await until(() => store.connected, 10_000);
    expect(changes).toEqual([true, false, true]);
    expect(lines.map(({ level }) => level).filter((level) => level !== 'DEBUG')).toEqual([
      'INFO',
      'WARN',
      'INFO',
    ]);
  });

  test('does not hang when containerd does', async () => {
    const containerd = await startContainerd();
    const known = encode('known before');
    await containerd.ingest(known);
    const foreign = encode('known to another namespace');
    await containerd.ingest(foreign, { namespace: 'other' });
    const { store } = startStore(containerd);
    await until(() => store.connected, 10_000);
    await containerd.hang();
    const startMs = performance.now();
    expect((await store.stat(digestOf(known)))?.sizeBytes).toBe(known.byteLength);
    expect(await store.stat(ABSENT)).toBeUndefined();
    // Without containerd: a call that it does not answer ends after 2 s.
    expect(performance.now() - startMs).toBeLessThan(1000);
    expect(await rejection(store.stat(digestOf(foreign)))).toBeInstanceOf(StoreUnavailableError);
    await until(() => !store.connected, 10_000);
    const awayMs = performance.now();
    expect(await rejection(store.stat(digestOf(foreign)))).toBeInstanceOf(StoreUnavailableError);
    expect(performance.now() - awayMs).toBeLessThan(1000);
    containerd.resume();
    await until(() => store.connected, 10_000);
    expect(await store.stat(digestOf(foreign))).toBeUndefined();
  }, 30_000);
});
