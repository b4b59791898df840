import { describe, expect, test } from 'bun:test';
import { digestOf } from '../oci/digest.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { PEER_SKIP_INITIAL_MS, SMALL_ANSWER_TIMEOUT_MS } from './budgets.ts';
import { manifestMediaType } from './fetch-manifest.ts';
import { createScriptedCluster, type PeerScript } from './testing/scripted-cluster.ts';

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const MANIFEST = encode({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociManifest, config: {}, layers: [] });
const never = new AbortController().signal;

const fetchFrom = async (scripts: readonly PeerScript[], reference = 'v1') => {
  const cluster = createScriptedCluster(MANIFEST, scripts);
  const key = reference === 'v1' ? 'r.lab/a:v1' : reference;
  const manifest = await cluster.transfer.fetchManifest(
    { key, repository: 'a', registry: 'r.lab', reference },
    { gone: never },
  );
  return { ...cluster, manifest };
};

describe('fetchManifest()', () => {
  test('gets a verified manifest with its own media type', async () => {
    const { manifest, digest, results, zoned } = await fetchFrom([{}]);
    expect(zoned).toEqual([`unknown ${MANIFEST.length}`]);
    expect(manifest).toEqual({
      digest,
      bytes: MANIFEST,
      mediaType: MEDIA_TYPE.ociManifest,
      origin: '10.0.0.1',
    });
    expect(results).toEqual(['served']);
  });

  const other = encode({ layers: [], evil: true });
  const refusals: [string, PeerScript, string][] = [
    ['does not have it', { status: 404 }, 'absent'],
    ['sends other bytes', { bytes: other }, 'wrong'],
    [
      'says the digest of other bytes',
      { bytes: other, headers: { 'docker-content-digest': 'sha256:zz' } },
      'wrong',
    ],
    ['says no digest', { headers: { 'docker-content-digest': undefined } }, 'wrong'],
    ['sends a larger one than allowed', { fails: 'TOO_LARGE' }, 'TOO_LARGE'],
    ['stalls', { fails: 'CANCELLED' }, 'CANCELLED'],
  ];
  test.each(refusals)('asks the next peer when one %s', async (_name, script, result) => {
    const { manifest, results } = await fetchFrom([script, {}]);
    expect(manifest).toMatchObject({ origin: '10.0.0.2' });
    expect(results).toEqual([result, 'served']);
  });

  test('takes only the digest that was asked for, even if the answer is consistent', async () => {
    const lie = { bytes: other, headers: { 'docker-content-digest': digestOf(other) } };
    const { manifest, results } = await fetchFrom([lie, {}], digestOf(MANIFEST));
    expect(manifest).toMatchObject({ bytes: MANIFEST });
    expect(results).toEqual(['wrong', 'served']);
  });

  test('says how many were asked when nobody has it', async () => {
    expect((await fetchFrom([{ status: 404 }])).manifest).toEqual({
      attempts: 1,
      skipped: 0,
      reason: 'peers-refused',
    });
  });
});

describe('statBlob()', () => {
  const stat = async (scripts: readonly PeerScript[]) => {
    const { transfer, digest } = createScriptedCluster(MANIFEST, scripts);
    return transfer.statBlob({ digest, repository: 'a', registry: undefined }, { gone: never });
  };

  test('gives the size that a peer says', async () => {
    expect(await stat([{}])).toEqual({ sizeBytes: MANIFEST.length, origin: '10.0.0.1' });
  });

  test.each(['-1', '', '1e3', '99999999999999999999', '5, 5'])(
    'asks the next peer when one says the length %j',
    async (length) => {
      expect(await stat([{ headers: { 'content-length': length } }, {}])).toMatchObject({
        origin: '10.0.0.2',
      });
    },
  );
});

describe('manifestMediaType()', () => {
  const cases: [string, unknown, string | undefined, string | undefined][] = [
    [
      'the field, whatever is sent',
      { mediaType: MEDIA_TYPE.dockerManifest, layers: [] },
      MEDIA_TYPE.ociManifest,
      MEDIA_TYPE.dockerManifest,
    ],
    [
      'what is sent, where the field is absent',
      { layers: [] },
      `${MEDIA_TYPE.dockerManifest}; charset=utf-8`,
      MEDIA_TYPE.dockerManifest,
    ],
    [
      'the shape, where nothing usable is sent',
      { manifests: [] },
      'application/octet-stream',
      MEDIA_TYPE.ociIndex,
    ],
    [
      'what is sent, for an unknown shape',
      { unknown: true },
      'application/vnd.example+json',
      'application/vnd.example+json',
    ],
    ['nothing, for an unknown shape and nothing sent', { unknown: true }, undefined, undefined],
    ['nothing, for a header that is none', { unknown: true }, 'text html', undefined],
  ];
  test.each(cases)('is %s', (_name, manifest, sent, expected) => {
    expect(manifestMediaType(encode(manifest), sent)).toBe(expected as never);
  });
});

test('what no peer had a moment ago is told without a signal of its client', async () => {
  const { transfer, digest } = createScriptedCluster(MANIFEST, []);
  let signals = 0;
  const client = {
    get gone() {
      signals++;
      return never;
    },
  };
  const request = { key: digest, repository: 'a', registry: undefined, reference: digest };
  const missed = { attempts: 0, skipped: 0, reason: 'no-record' } as const;
  expect(await transfer.fetchManifest(request, client)).toEqual(missed);
  expect(signals).toBeGreaterThan(0);
  signals = 0;
  expect(await transfer.fetchManifest(request, client)).toEqual(missed);
  expect(await transfer.statBlob({ digest, repository: 'a', registry: undefined }, client)).toEqual(missed);
  expect(signals).toBe(0);
});

test('a peer whose manifest drips is given up after a second, and left alone by the requests that follow', async () => {
  const clock = createVirtualClock();
  const { transfer, asked } = createScriptedCluster(MANIFEST, [{ drips: true }, {}], { clock });
  const request = { key: 'r.lab/a:v1', repository: 'a', registry: 'r.lab', reference: 'v1' };
  const fetch = () => transfer.fetchManifest(request, { gone: never });
  const first = fetch();
  await clock.advance(SMALL_ANSWER_TIMEOUT_MS);
  expect(await first).toMatchObject({ origin: '10.0.0.2' });
  transfer.peerReturned('p1');
  await clock.advance(2 * PEER_SKIP_INITIAL_MS);
  expect(await fetch()).toMatchObject({ origin: '10.0.0.2' });
  expect(asked).toEqual(['p1 all', 'p2 all', 'p2 all']);
});

describe('the room for a manifest', () => {
  const create = (scripts: readonly PeerScript[], rooms: readonly boolean[] = []) => {
    const clock = createVirtualClock();
    const { transfer } = createScriptedCluster(MANIFEST, scripts, { clock });
    const seen = { asked: 0, held: 0 };
    const admit = async () => {
      if (rooms[seen.asked++] === false) return undefined;
      seen.held++;
      let isHeld = true;
      return {
        [Symbol.dispose]() {
          if (isHeld) seen.held--;
          isHeld = false;
        },
      };
    };
    const request = { key: 'r.lab/a:v1', repository: 'a', registry: 'r.lab', reference: 'v1', admit };
    const fetch = async (gone: AbortSignal = never) => transfer.fetchManifest(request, { gone });
    return { clock, fetch, seen };
  };

  test('is held by the answer that is taken alone, where two peers were asked side by side', async () => {
    const { clock, fetch, seen } = create([{ drips: true }, {}]);
    const fetching = fetch();
    await clock.advance(SMALL_ANSWER_TIMEOUT_MS - 1);
    const manifest = await fetching;
    expect(manifest).toMatchObject({ origin: '10.0.0.2' });
    expect(seen).toEqual({ asked: 2, held: 1 });
    if ('bytes' in manifest) manifest.room?.[Symbol.dispose]();
    expect(seen.held).toBe(0);
  });

  test.each<[string, readonly PeerScript[], readonly boolean[]]>([
    ['a wrong answer', [{ bytes: encode({ layers: [], evil: true }) }], []],
    ['an answer for which there is none', [{}], [false]],
  ])('is not held after %s', async (_what, scripts, rooms) => {
    const { fetch, seen } = create(scripts, rooms);
    expect(await fetch()).not.toHaveProperty('bytes');
    expect(seen).toEqual({ asked: 1, held: 0 });
  });

  test('is not held after the client has left', async () => {
    const { clock, fetch, seen } = create([{ drips: true }]);
    const gone = new AbortController();
    const fetching = fetch(gone.signal);
    await clock.advance(10);
    expect(seen.held).toBe(1);
    gone.abort();
    await fetching;
    expect(seen.held).toBe(0);
  });
});
