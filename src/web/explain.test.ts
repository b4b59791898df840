import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { digestOf } from '../oci/digest.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';
import type { Peer } from '../routing/router.ts';
import type { PeerStanding, WhyReport } from '../routing/why-report.ts';
import { systemClock } from '../runtime/clock.ts';
import { parseImageFilter } from '../store/image-filter.ts';
import { createMemoryStore, type MemoryStore } from '../store/memory-store.ts';
import { explain, type ExplainDeps, type ExplainOptions, parseWhyQuestion } from './explain.ts';

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const NAME = 'registry.lab:5000/lab/a';
const TAG = `${NAME}:v1`;
const never = new AbortController().signal;

const CONFIG = encode({ os: 'linux' });
const LAYER = new TextEncoder().encode('layer');
const descriptor = (bytes: Uint8Array, mediaType: string, more: object = {}) => ({
  mediaType,
  digest: digestOf(bytes),
  size: bytes.length,
  ...more,
});
const MANIFEST = encode({
  schemaVersion: 2,
  mediaType: MEDIA_TYPE.ociManifest,
  config: descriptor(CONFIG, 'application/vnd.oci.image.config.v1+json'),
  layers: [descriptor(LAYER, 'application/vnd.oci.image.layer.v1.tar'), descriptor(LAYER, 'again')],
});
const indexOf = (architecture: string) =>
  encode({
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociIndex,
    manifests: [descriptor(MANIFEST, MEDIA_TYPE.ociManifest, { platform: { os: 'linux', architecture } })],
  });
const INDEX = indexOf('amd64');

let store: MemoryStore;
beforeEach(async () => {
  store = await createMemoryStore();
});
afterEach(async () => store[Symbol.asyncDispose]());

/** What peers of an address say, and how the node thinks of them. */
interface Given {
  readonly says?: Readonly<Record<string, string>>;
  readonly standing?: Readonly<Record<string, Partial<PeerStanding>>>;
  /** What they have, by routing key. */
  readonly manifests?: Readonly<Record<string, Uint8Array>>;
  readonly options?: Partial<ExplainOptions>;
  readonly isShared?: boolean;
}

function setUp({ says = {}, standing = {}, manifests = {}, options = {}, isShared = true }: Given = {}) {
  const probed: string[] = [];
  const peers = Object.keys(says).map((address): Peer => ({ id: `p-${address}`, addresses: [address] }));
  const deps: ExplainDeps = {
    store,
    policy: { sharesDigest: () => isShared },
    router: {
      ready: () => true,
      async *lookup() {
        yield* peers;
      },
      peers: async () =>
        peers.map(({ id, addresses }) => ({
          id,
          addresses,
          multiaddrs: [],
          connected: true,
          state: 'connected' as const,
          isMember: true,
        })),
    },
    standingOf: ({ addresses: [address = ''] }) => ({
      order: 'first',
      why: undefined,
      bytesPerSecond: undefined,
      ...standing[address],
    }),
    async probe({ peer, target }) {
      probed.push(`${peer.addresses[0]} ${target.kind} ${target.repository} ${target.reference}`);
      return says[peer.addresses[0] ?? ''] ?? 'absent';
    },
    async fetchManifest({ key }) {
      const bytes = manifests[key];
      return bytes === undefined ? undefined : { digest: digestOf(bytes), bytes };
    },
    isStoreConnected: () => true,
    clock: systemClock,
  };
  const all: ExplainOptions = {
    mirroredRegistries: undefined,
    filters: [],
    resolveTimeoutMs: 20,
    resolveRetries: 3,
    platform: { os: 'linux', architecture: 'amd64' },
    ...options,
  };
  return { probed, ask: async (key: string, name?: string) => explain(deps, all, { key, name }, never) };
}

const ways = ({ contents }: WhyReport) =>
  contents.map(({ kind, outcome }) =>
    `${kind} ${outcome.how} ${outcome.from ?? outcome.reason ?? ''}`.trim(),
  );

describe('explain()', () => {
  test('finds all of an image in the store, by its tag and by its digest', async () => {
    for (const bytes of [INDEX, MANIFEST, CONFIG, LAYER]) await store.addBlob(bytes);
    store.addImage(TAG, digestOf(INDEX));
    const { ask, probed } = setUp();
    const rest = ['index local', 'manifest local', 'config local', 'layer local'];
    expect(ways(await ask(TAG))).toEqual(['tag local', ...rest]);
    expect(ways(await ask(digestOf(INDEX), NAME))).toEqual(rest);
    expect(ways(await ask(digestOf(LAYER)))).toEqual(['content local']);
    expect(probed).toEqual([]);
  });

  test('walks an image that only a peer has', async () => {
    const manifests = { [TAG]: INDEX, [digestOf(MANIFEST)]: MANIFEST };
    const { ask, probed } = setUp({ says: { '10.0.0.1': 'has-it' }, manifests });
    const report = await ask(TAG);
    expect(ways(report)).toEqual(
      ['tag', 'index', 'manifest', 'config', 'layer'].map((kind) => `${kind} peer 10.0.0.1`),
    );
    expect(report.contents.map(({ sizeBytes }) => sizeBytes)).toEqual([
      undefined,
      INDEX.length,
      MANIFEST.length,
      CONFIG.length,
      LAYER.length,
    ]);
    expect(report.contents[0]?.digest).toBe(digestOf(INDEX));
    expect(report.contents[0]?.peers).toMatchObject([{ state: 'connected', order: 'first', said: 'has-it' }]);
    expect(probed[0]).toBe('10.0.0.1 manifest lab/a v1');
    expect(probed.at(-1)).toBe(`10.0.0.1 blob lab/a ${digestOf(LAYER)}`);
  });

  test('says what it cannot go on with', async () => {
    const index = indexOf('s390x');
    const { ask } = setUp({ says: { '10.0.0.1': 'has-it' }, manifests: { [TAG]: index } });
    const { problem, contents } = await ask(TAG);
    expect(contents).toHaveLength(2);
    expect(problem).toBe('The index has no manifest for linux/amd64, the platform of this node');
  });

  test.each<[string, Given, string]>([
    ['no peer has a record', {}, 'no-record'],
    [
      'the peers are left alone',
      { says: { a: 'has-it' }, standing: { a: { order: 'skipped' } } },
      'peers-skipped',
    ],
    ['they refuse', { says: { a: 'absent', b: 'CONNECT_FAILED' } }, 'peers-refused'],
    ['they are busy', { says: { a: 'absent', b: 'busy' } }, 'peers-busy'],
    ['they are gone', { says: { a: 'CONNECT_FAILED', b: 'HEAD_TIMEOUT' } }, 'peers-failed'],
    ['none is asked', { says: { a: 'has-it' }, options: { resolveRetries: 0 } }, 'no-record'],
    [
      'the one that has it is behind too many that refuse',
      { says: { a: 'absent', b: 'absent', c: 'has-it' }, options: { resolveRetries: 2 } },
      'peers-refused',
    ],
  ])('says why it is missing when %s', async (_, given, reason) => {
    expect(ways(await setUp(given).ask(digestOf(LAYER)))).toEqual([`content missing ${reason}`]);
  });

  test('asks in the order of a request: late peers last, skipped ones not, gone ones for free', async () => {
    const says = { late: 'has-it', skipped: 'has-it', gone: 'CONNECT_FAILED', good: 'has-it' };
    const { ask, probed } = setUp({
      says,
      standing: { late: { order: 'last', why: 'late' }, skipped: { order: 'skipped', why: 'slow' } },
      options: { resolveRetries: 1 },
    });
    const { contents } = await ask(digestOf(LAYER));
    expect(contents[0]?.peers.map(({ addresses, said }) => [addresses[0], said])).toEqual([
      ['gone', 'CONNECT_FAILED'],
      ['good', 'has-it'],
      ['late', 'has-it'],
      ['skipped', undefined],
    ]);
    expect(contents[0]?.outcome).toEqual({ how: 'peer', status: 200, from: 'good' });
    expect(probed.some((text) => text.startsWith('skipped'))).toBe(false);
  });

  test.each<[string, Partial<ExplainOptions>, object]>([
    [
      'is of another registry',
      { mirroredRegistries: new Set(['docker.io']) },
      { isMirrored: false, filters: [] },
    ],
    [
      'a filter matches',
      { filters: [{ expression: ':v1$', matches: parseImageFilter(':v1$') }] },
      { isMirrored: true, filters: [':v1$'] },
    ],
  ])('asks no peer for what %s', async (_, options, expected) => {
    const { ask, probed } = setUp({ says: { a: 'has-it' }, options });
    const report = await ask(TAG);
    expect(report).toMatchObject(expected);
    expect(ways(report)).toEqual(['tag missing filter']);
    expect(probed).toEqual([]);
  });

  test('asks peers for what is in the store and not shared, and while containerd is away', async () => {
    const digest = await store.addBlob(LAYER);
    const hidden = setUp({ says: { a: 'has-it' }, isShared: false });
    expect(ways(await hidden.ask(digest))).toEqual(['content peer a']);
    store.setAvailable(false);
    expect(ways(await setUp({ says: { a: 'busy' } }).ask(TAG))).toEqual(['tag missing peers-busy']);
  });

  test('looks at 64 pieces of content of an image', async () => {
    const layers = Array.from({ length: 100 }, (_, n) => descriptor(encode(n), 'layer'));
    const manifests = { [TAG]: encode({ schemaVersion: 2, layers }) };
    const { contents, omitted } = await setUp({ says: { a: 'has-it' }, manifests }).ask(TAG);
    expect([contents.length, omitted]).toEqual([66, 36]);
  });
});

test.each([
  [{ key: TAG }, { registry: 'registry.lab:5000', repository: 'lab/a', tag: 'v1' }],
  [{ key: digestOf(LAYER) }, { digest: digestOf(LAYER) }],
  [
    { key: digestOf(LAYER), name: NAME },
    { digest: digestOf(LAYER), registry: 'registry.lab:5000', repository: 'lab/a' },
  ],
  [{ key: digestOf(LAYER), name: 'nginx' }, undefined],
  [{ key: TAG, name: NAME }, undefined],
  [{ key: 'nginx' }, undefined],
])('parseWhyQuestion() of %j is %j', (question, expected) => {
  expect(parseWhyQuestion(question)).toEqual(expected as never);
});
