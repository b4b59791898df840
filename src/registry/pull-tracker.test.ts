import { describe, expect, test } from 'bun:test';
import { createLogger } from '../observe/log.ts';
import { createPullLog, type LoggedPull } from '../observe/pull-log.ts';
import type { EndedTransfer } from '../observe/transfer-log.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { parseDistributionPath } from '../oci/distribution-path.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { createPullTracker } from './pull-tracker.ts';

const REGISTRY = 'registry.lab:5000';
const digest = (name: string): Digest => digestOf(new TextEncoder().encode(name));
const INDEX = digest('index');
const MANIFEST = digest('manifest');
const MB = 1_000_000;
const LAYERS = ['a', 'b', 'c'].map((name) => ({ digest: digest(name), sizeBytes: MB, mediaType: 'layer' }));

/** A tracker, and the requests of a containerd. */
function start() {
  const clock = createVirtualClock();
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger({
    level: 'info',
    write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>),
  });
  const log = createPullLog(() => clock.nowMs());
  const tracker = createPullTracker({ clock, logger, pulls: log });
  /** Asks, takes the time, and tells what came of it; nothing if undefined. */
  const ask = async (
    kind: 'manifests' | 'blobs',
    reference: string,
    came: Partial<EndedTransfer> | undefined,
    { method = 'GET', tookMs = 100, repository = 'lab/a' }: Asked = {},
  ) => {
    const path = parseDistributionPath(`/v2/${repository}/${kind}/${reference}`, REGISTRY);
    using asked = tracker.asked(path, method, { movedBytes: 0 });
    await clock.advance(tookMs);
    if (came === undefined) return;
    const movedBytes = (came.sources ?? []).reduce((sum, source) => sum + source.movedBytes, 0);
    asked?.ended({
      kind: kind === 'blobs' ? 'blob' : 'manifest',
      registry: REGISTRY,
      repository,
      tag: 'tag' in path ? path.tag : undefined,
      digest: 'digest' in path ? path.digest : came.digest,
      forwarded: false,
      sources: [],
      flight: undefined,
      movedBytes,
      durationMs: tookMs,
      outcome: 'served',
      ...came,
    });
  };
  const from = (origin: string, movedBytes = MB) => ({
    sources: [{ origin, movedBytes, ended: 'complete' }],
  });
  /** An image as containerd begins with it: HEAD by tag, the index, the manifest. */
  const begin = async () => {
    await ask('manifests', 'v1', { ...from('10.0.0.1', 500), digest: INDEX }, { method: 'HEAD' });
    tracker.named(INDEX, 'index', [{ digest: MANIFEST, sizeBytes: 700, mediaType: 'manifest' }]);
    await ask('manifests', INDEX, undefined);
    await ask('manifests', MANIFEST, from('10.0.0.1', 700));
    tracker.named(MANIFEST, 'manifest', LAYERS);
  };
  return { clock, lines, tracker, ask, from, begin, last: (): readonly LoggedPull[] => log.last(), log };
}

interface Asked {
  readonly method?: 'GET' | 'HEAD';
  readonly tookMs?: number;
  readonly repository?: string;
}
const [A = '', B = '', C = ''] = LAYERS.map((layer) => layer.digest);
const missing = { outcome: 'missing', missing: 'no-record' } as const;

describe('createPullTracker()', () => {
  test('tells of a pull when all that its manifest names was given', async () => {
    const { lines, ask, from, begin, last } = start();
    await begin();
    await ask('blobs', A, from('10.0.0.1'), { tookMs: 500 });
    await ask('blobs', B, from('10.0.0.2'), { tookMs: 250 });
    expect(lines).toEqual([]);
    await ask('blobs', C, from('local'));
    expect(lines).toMatchObject([
      {
        level: 'INFO',
        msg: 'pull ended',
        image: `${REGISTRY}/lab/a:v1`,
        digest: INDEX,
        outcome: 'served',
        durationMs: 1150,
        localBytes: MB,
        peerBytes: 2 * MB + 1200,
        flightBytes: 0,
        peers: [
          { address: '10.0.0.1', bytes: MB + 1200, bytesPerSecond: Math.round((MB + 1200) / 0.8) },
          { address: '10.0.0.2', bytes: MB, bytesPerSecond: 4 * MB },
        ],
        misses: [],
        missCount: 0,
      },
    ]);
    expect(last()).toHaveLength(1);
    expect(last()[0]?.startedAtMs).toBe(0);
  });

  test('says what was missing and why, and what a flight gave', async () => {
    const { ask, from, begin, last } = start();
    await begin();
    const flight = {
      role: 'child',
      parent: { origin: '10.0.0.3', peer: 'p3' },
      heldMs: 5,
      aside: undefined,
    } as const;
    await ask('blobs', A, { ...from('10.0.0.3'), flight });
    await ask('blobs', B, { outcome: 'missing', missing: 'peers-busy' });
    await ask('blobs', C, missing);
    expect(last()).toMatchObject([
      {
        outcome: 'partly',
        flightBytes: MB,
        misses: [
          { kind: 'blob', reference: B, reason: 'peers-busy' },
          { kind: 'blob', reference: C, reason: 'no-record' },
        ],
        missCount: 2,
      },
    ]);
  });

  test('counts a layer that comes in ranges, or is broken off and resumed, as one', async () => {
    const { ask, from, begin, last } = start();
    await begin();
    await ask('blobs', A, from('10.0.0.1', MB / 2));
    await ask('blobs', B, { ...from('10.0.0.1', MB / 4), outcome: 'broken-off' });
    await ask('blobs', C, from('10.0.0.1'));
    await ask('blobs', A, from('10.0.0.1', MB / 2));
    expect(last()).toEqual([]);
    await ask('blobs', B, from('10.0.0.2', (3 * MB) / 4));
    expect(last()).toMatchObject([{ outcome: 'served', peerBytes: 3 * MB + 1200, missCount: 0 }]);
  });

  test('waits long for layers that were not asked for, and ends then', async () => {
    const { clock, ask, from, begin, last } = start();
    await begin();
    await ask('blobs', A, missing);
    await clock.advance(110_000);
    await ask('blobs', B, from('10.0.0.1'));
    expect(last()).toEqual([]);
    await clock.advance(122_000);
    expect(last()).toMatchObject([{ outcome: 'partly', missCount: 1, durationMs: 110_500 }]);
  });

  test('does not end while a request runs', async () => {
    const { clock, tracker, begin, last } = start();
    await begin();
    const asked = tracker.asked(parseDistributionPath(`/v2/lab/a/blobs/${A}`, REGISTRY), 'GET', {
      movedBytes: 0,
    });
    await clock.advance(600_000);
    expect(last()).toEqual([]);
    asked?.[Symbol.dispose]();
    await clock.advance(122_000);
    expect(last()).toHaveLength(1);
  });

  test('follows a pull whose manifest no node has by its repository, until it is quiet', async () => {
    const { clock, ask, last } = start();
    await ask('manifests', 'v1', { outcome: 'missing', missing: 'filter' }, { method: 'HEAD' });
    await ask('blobs', A, missing);
    await ask('blobs', B, missing, { repository: 'lab/other' });
    await clock.advance(9000);
    expect(last()).toEqual([]);
    await clock.advance(3000);
    expect(last()).toMatchObject([
      {
        image: `${REGISTRY}/lab/a:v1`,
        digest: undefined,
        outcome: 'missing',
        misses: [
          { kind: 'manifest', reference: 'v1', reason: 'filter' },
          { kind: 'blob', reference: A },
        ],
      },
    ]);
  });

  test('tells two tags of a repository apart, and what containerd left', async () => {
    const { clock, ask, from, begin, last } = start();
    await begin();
    await ask('manifests', 'v2', { ...from('10.0.0.1', 100), digest: digest('v2') }, { method: 'HEAD' });
    await ask('blobs', A, { ...from('10.0.0.1', 10), outcome: 'client-gone' });
    await clock.advance(125_000);
    expect(last().map(({ image, outcome }) => [image, outcome])).toEqual([
      [`${REGISTRY}/lab/a:v1`, 'left'],
      [`${REGISTRY}/lab/a:v2`, 'served'],
    ]);
  });

  test('says nothing of a look at a tag that is here', async () => {
    const { clock, lines, ask } = start();
    await ask('manifests', 'v1', undefined, { method: 'HEAD' });
    await clock.advance(60_000);
    expect(lines).toEqual([]);
  });

  test('remembers no more than 256 manifests that were got', async () => {
    const { clock, tracker, ask, from, last } = start();
    await ask('manifests', 'v1', { ...from('10.0.0.1', 500), digest: INDEX }, { method: 'HEAD' });
    tracker.named(INDEX, 'index', [{ digest: MANIFEST, sizeBytes: 700, mediaType: 'manifest' }]);
    for (let n = 0; n < 300; n++) await ask('manifests', digest(`${n}`), undefined, { tookMs: 1 });
    await ask('manifests', MANIFEST, from('10.0.0.1', 700));
    tracker.named(MANIFEST, 'manifest', LAYERS);
    for (const { digest: layer } of LAYERS) await ask('blobs', layer, from('10.0.0.1'));
    // There was no room to remember that the last manifest was got: the pull ends when it is quiet.
    expect(last()).toEqual([]);
    await clock.advance(12_000);
    expect(last()).toHaveLength(1);
  });

  test('shows what runs, piece by piece, and keeps the pieces when it has ended', async () => {
    const { clock, tracker, ask, from, begin, log } = start();
    await begin();
    await ask('blobs', A, from('10.0.0.1'));
    await ask('blobs', B, { ...from('10.0.0.1', 10), outcome: 'broken-off' });
    const client = { movedBytes: 0 };
    const asked = tracker.asked(parseDistributionPath(`/v2/lab/a/blobs/${B}`, REGISTRY), 'GET', client);
    asked?.from('10.0.0.2');
    client.movedBytes = 500;
    await clock.advance(50);
    const sized = { kind: 'layer', sizeBytes: MB, reason: undefined } as const;
    const manifest = { kind: 'manifest', sizeBytes: undefined, state: 'given', reason: undefined } as const;
    const done = [
      { ...manifest, reference: INDEX, movedBytes: 500, from: ['10.0.0.1'] },
      { ...manifest, reference: MANIFEST, movedBytes: 700, from: ['10.0.0.1'] },
      { ...sized, reference: A, movedBytes: MB, state: 'given', from: ['10.0.0.1'] },
    ] as const;
    expect(log.running()).toMatchObject([
      {
        id: 1,
        image: `${REGISTRY}/lab/a:v1`,
        digest: INDEX,
        durationMs: 550,
        startedAtMs: 0,
        peerBytes: MB + 1210,
        upstreamBytes: 0,
        wantedBytes: 3 * MB,
        blobCount: 5,
        blobs: [
          ...done,
          { ...sized, reference: B, movedBytes: 510, state: 'running', from: ['10.0.0.1', '10.0.0.2'] },
          { ...sized, reference: C, movedBytes: 0, state: 'waiting', from: [] },
        ],
      },
    ]);
    asked?.[Symbol.dispose]();
    await ask('blobs', C, { outcome: 'missing', missing: 'peers-busy' });
    await clock.advance(125_000);
    expect(log.running()).toEqual([]);
    expect(log.last()).toMatchObject([
      {
        id: 1,
        upstreamBytes: 2 * MB - 10,
        blobs: [
          ...done,
          { ...sized, reference: B, movedBytes: 10, state: 'broken-off', reason: 'broken-off' },
          { ...sized, reference: C, movedBytes: 0, state: 'missing', reason: 'peers-busy' },
        ],
      },
    ]);
  });

  test('does not show a look at a tag that is here as a pull', async () => {
    const { ask, log } = start();
    await ask('manifests', 'v1', undefined, { method: 'HEAD' });
    expect(log.running()).toEqual([]);
  });

  test('remembers and tells no more pieces than it may, however many there are', async () => {
    const { clock, tracker, ask, from, begin, log } = start();
    await begin();
    const layers = Array.from({ length: 250 }, (_, n) => ({
      digest: digest(`${n}`),
      sizeBytes: 1,
      mediaType: '',
    }));
    tracker.named(MANIFEST, 'manifest', layers);
    const other = digest('other manifest');
    await ask('manifests', other, from('10.0.0.1'), { tookMs: 1 });
    tracker.named(
      other,
      'manifest',
      layers.map((layer, n) => ({ digest: digest(`other ${n}`), sizeBytes: layer.sizeBytes, mediaType: '' })),
    );
    expect(log.running()[0]?.blobs).toHaveLength(200);
    expect(log.running()[0]).toMatchObject({ wantedBytes: 256, blobCount: 256 + 3 });
    await clock.advance(125_000);
    expect(log.last()[0]?.blobs).toHaveLength(64);
  });

  test('follows the last 32 pulls, however many there are', async () => {
    const { ask, last } = start();
    for (let i = 0; i < 100; i++) {
      await ask('manifests', 'v1', missing, { repository: `lab/${i}`, tookMs: 1 });
    }
    expect(last()).toHaveLength(50);
    expect(last()[0]?.image).toBe(`${REGISTRY}/lab/67:v1`);
  });
});
