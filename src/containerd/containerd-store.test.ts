import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, silentLogger } from '../observe/log.ts';
import { type Digest, digestOf, splitDigest } from '../oci/digest.ts';
import { systemClock } from '../runtime/clock.ts';
import { until } from '../runtime/conditions.fixture.ts';
import { createTestImage, rejection, startWatch } from '../store/content-store.conformance.ts';
import { StoreUnavailableError } from '../store/content-store.ts';
import { testDownloads } from '../store/downloads.conformance.ts';
import type { ContainerdClient, ContainerdEvent } from './containerd-client.ts';
import { type ContainerdStore, createContainerdStore } from './containerd-store.ts';
import { beginTestIngest } from './ingest.fixture.ts';
import { PROBE_INTERVAL_MS } from './connection.ts';
import { RECONCILE_INTERVAL_MS } from './namespace-follower.ts';
import { createSleepingClock } from '../runtime/testing/sleeping-clock.ts';

const encode = (text: string) => new TextEncoder().encode(text);

/** A containerd whose database the test writes. It sends no events unless told to. */
function createFakeContainerd() {
  const content = new Map<Digest, number>();
  const images = new Map<string, Digest>();
  const fake = {
    content,
    images,
    away: false,
    infos: 0,
    failInfos: 0,
    aborted: [] as string[],
    emit: (_event: ContainerdEvent): void => {},
    connect,
  };
  const check = () => {
    if (fake.away) throw new StoreUnavailableError('away');
  };
  function connect(): ContainerdClient {
    return {
      version: async () => (check(), '1.6.20'),
      contentRoot: async () => '/elsewhere',
      getImage: async (name) => {
        check();
        const target = images.get(name);
        return target === undefined ? undefined : { name, target };
      },
      listImages: async () => (check(), [...images].map(([name, target]) => ({ name, target }))),
      abortIngest: async (ref) => {
        check();
        fake.aborted.push(ref);
        return true;
      },
      contentSize: async (digest) => {
        check();
        fake.infos++;
        if (fake.failInfos-- > 0) throw new StoreUnavailableError('too late');
        return content.get(digest);
      },
      listContent: async () => (check(), new Map(content)),
      subscribe: (onEvent, signal) => {
        fake.emit = onEvent;
        return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
      },
      close: () => {},
    };
  }
  return fake;
}

/** The machine's clock, but the long intervals pass as soon as the test says so. */
function createHurriedClock() {
  let skippedMs = 0;
  let hurry = Promise.withResolvers<void>();
  const clock = createSleepingClock({
    nowMs: () => systemClock.nowMs() + skippedMs,
    sleep: (ms, signal) =>
      ms < PROBE_INTERVAL_MS
        ? systemClock.sleep(ms, signal)
        : Promise.race([systemClock.sleep(ms, signal), hurry.promise]),
  });
  return {
    clock,
    skip: (ms: number) => {
      skippedMs += ms;
      hurry.resolve();
      hurry = Promise.withResolvers();
    },
  };
}

describe('downloads of createContainerdStore() over a folder', () => {
  let contentPath: string;
  let store: ContainerdStore;
  beforeAll(async () => {
    contentPath = await mkdtemp(join(tmpdir(), 'spegel-store-'));
    const fake = createFakeContainerd();
    // They are seen without containerd.
    fake.away = true;
    store = createContainerdStore(
      { clock: systemClock, logger: silentLogger, connect: fake.connect },
      { socketPath: '/none', namespace: 'k8s.io', contentPath },
    );
  });
  afterAll(async () => {
    await store[Symbol.asyncDispose]();
    await rm(contentPath, { recursive: true });
  });
  testDownloads(() => ({
    store,
    async startDownload(digest, { sizeBytes, kind = 'layer' }) {
      const ingest = await beginTestIngest(contentPath, `k8s.io/1/${kind}-${digest}`, sizeBytes);
      return {
        write: (bytes) => ingest.write(bytes),
        giveUp: () => ingest.close(),
        // A new writer leaves no trace before its first byte.
        takeUp: async () => {},
        commit: () => ingest.commit(digest),
        remove: () => ingest.remove(),
      };
    },
  }));
});

describe('createContainerdStore()', () => {
  let contentPath: string;
  const started: AsyncDisposable[] = [];
  beforeEach(async () => {
    contentPath = await mkdtemp(join(tmpdir(), 'spegel-store-'));
  });
  afterEach(async () => {
    for (const store of started.splice(0)) await store[Symbol.asyncDispose]();
    await rm(contentPath, { recursive: true });
  });

  /** Renames a blob into place, as containerd does before it commits the metadata. */
  async function putFile(bytes: Uint8Array): Promise<Digest> {
    const digest = digestOf(bytes);
    await mkdir(join(contentPath, 'blobs', 'sha256'), { recursive: true });
    await writeFile(join(contentPath, 'data'), bytes);
    await rename(join(contentPath, 'data'), join(contentPath, 'blobs', 'sha256', splitDigest(digest).hex));
    return digest;
  }

  async function start(fake = createFakeContainerd()) {
    const { clock, skip } = createHurriedClock();
    const lines: { level: string; msg: string }[] = [];
    const write = (line: string) => void lines.push(JSON.parse(line) as { level: string; msg: string });
    const store = createContainerdStore(
      { clock, logger: createLogger({ level: 'debug', write }), connect: fake.connect },
      { socketPath: '/none', namespace: 'k8s.io', contentPath },
    );
    started.push(store);
    await until(() => store.connected);
    return { fake, store, skip, lines };
  }

  test('tells of a blob as soon as the metadata knows it, and not before', async () => {
    const { fake, store } = await start();
    await using watch = startWatch(store);
    await watch.next((event) => event.kind === 'resync');
    const bytes = encode('renamed first');
    const digest = await putFile(bytes);
    await until(() => fake.infos >= 3);
    expect(await store.stat(digest)).toBeUndefined();
    fake.content.set(digest, bytes.byteLength);
    await watch.next((event) => event.kind === 'blob-added' && event.digest === digest);
  });

  test('stat() answers for known and for absent blobs without asking containerd', async () => {
    const fake = createFakeContainerd();
    const digest = await putFile(encode('known'));
    fake.content.set(digest, 5);
    const { store } = await start(fake);
    expect((await store.stat(digest))?.sizeBytes).toBe(5);
    expect(await store.stat(digestOf(encode('absent')))).toBeUndefined();
    expect(fake.infos).toBe(0);
  });

  test('stat() never gives a blob whose file is gone, or has another size than the metadata says', async () => {
    const fake = createFakeContainerd();
    const digest = await putFile(encode('known'));
    fake.content.set(digest, 5);
    const { store } = await start(fake);
    const path = (await store.stat(digest))?.path ?? '';
    await writeFile(path, 'longer than known');
    expect(await store.stat(digest)).toBeUndefined();
    await rm(path);
    expect(await store.stat(digest)).toBeUndefined();
  });

  test('repairs in the periodic reconcile what no event told of', async () => {
    const { fake, store, skip } = await start();
    await using watch = startWatch(store);
    await watch.next((event) => event.kind === 'resync');
    const { manifest, blobs } = createTestImage('unheard');
    for (const bytes of [manifest, ...blobs]) fake.content.set(await putFile(bytes), bytes.byteLength);
    fake.images.set('r.test/app:v1', digestOf(manifest));
    // The files went by inotify, the name by nothing.
    skip(2 * RECONCILE_INTERVAL_MS);
    const event = await watch.next(
      (event) => event.kind === 'resync' && event.snapshot.tags.length === 1,
      5000,
    );
    expect(event.kind === 'resync' && event.snapshot.blobs.size).toBe(3);
    for (const bytes of blobs) expect(store.references(digestOf(bytes))).toHaveLength(1);
    fake.content.clear();
    skip(2 * RECONCILE_INTERVAL_MS);
    await watch.next((event) => event.kind === 'resync' && event.snapshot.blobs.size === 0, 5000);
  });

  test('finds content that appeared without a rename when an image event names it', async () => {
    const { manifest, blobs } = createTestImage('shared');
    for (const bytes of [manifest, ...blobs]) await putFile(bytes);
    const { fake, store } = await start();
    expect((await store.list()).blobs.size).toBe(0);
    for (const bytes of [manifest, ...blobs]) fake.content.set(digestOf(bytes), bytes.byteLength);
    fake.images.set('r.test/app:v1', digestOf(manifest));
    await using watch = startWatch(store);
    await watch.next((event) => event.kind === 'resync');
    fake.emit({ topic: '/images/create', subject: 'r.test/app:v1' });
    await watch.next((event) => event.kind === 'tag-added');
    fake.images.delete('r.test/app:v1');
    fake.emit({ topic: '/images/delete', subject: 'r.test/app:v1' });
    await watch.next((event) => event.kind === 'tag-removed');
    fake.content.delete(digestOf(manifest));
    fake.emit({ topic: '/content/delete', subject: digestOf(manifest) });
    await watch.next((event) => event.kind === 'blob-removed');
    expect(await store.stat(digestOf(manifest))).toBeUndefined();
  });

  test('lists once more after a question failed that containerd did not come to know of', async () => {
    const { fake, store } = await start();
    await using watch = startWatch(store);
    await watch.next((event) => event.kind === 'resync');
    const bytes = encode('asked in vain');
    fake.content.set(digestOf(bytes), bytes.byteLength);
    fake.failInfos = 1;
    const digest = await putFile(bytes);
    await watch.next((event) => event.kind === 'resync' && event.snapshot.blobs.has(digest));
    expect(store.connected).toBe(true);
  });

  test('survives events with subjects of any kind', async () => {
    const { fake, store } = await start();
    for (const topic of ['/images/create', '/content/create', '/content/delete', '/else']) {
      for (const subject of ['', '../../etc/passwd', 'sha256:x', '\0']) fake.emit({ topic, subject });
    }
    for (let i = 0; i < 1000; i++) fake.emit({ topic: '/images/create', subject: `r.test/app:${i}` });
    expect((await store.list()).blobs.size).toBe(0);
    expect(store.connected).toBe(true);
  });

  test('says where containerd has its content if nothing is in the content path', async () => {
    const fake = createFakeContainerd();
    fake.content.set(digestOf(encode('elsewhere')), 9);
    const { store, lines } = await start(fake);
    await store.list();
    const warnings = lines.filter(({ level }) => level === 'WARN');
    expect(warnings).toHaveLength(1);
    expect(warnings[0]?.msg).toContain('--containerd-content-path');
    expect(warnings[0]).toMatchObject({ contentPath, contentRoot: '/elsewhere' });
  });

  test('lists once for all who ask while a listing waits, and rejects them while containerd is away', async () => {
    const { fake, store } = await start();
    const all = await Promise.all(Array.from({ length: 50 }, () => store.list()));
    expect(all).toHaveLength(50);
    fake.away = true;
    expect(await rejection(store.list())).toBeInstanceOf(StoreUnavailableError);
    await until(() => !store.connected);
    fake.away = false;
    await until(() => store.connected);
  });
});
