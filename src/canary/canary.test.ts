import { describe, expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { silentLogger } from '../observe/log.ts';
import { type Digest, digestOf, parseDigest } from '../oci/digest.ts';
import { parseDistributionPath } from '../oci/distribution-path.ts';
import { parseManifest } from '../oci/manifest.ts';
import { parseReference } from '../oci/reference.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { StoreUnavailableError } from '../store/content-store.ts';
import { CANARY_DEADLINE_MS, type CanaryRequest, createCanary } from './canary.ts';
import { NO_REGISTRY } from './canary-name.ts';
import type { CanaryResult } from './canary-result.ts';

const REGISTRY = 'registry.lab:5000';
const NEVER = new AbortController().signal;
const OTHER = parseDigest(`sha256:${'0'.repeat(64)}`);

type Answer = (path: string, change?: Partial<CanaryRequest>) => Uint8Array | undefined;

/** A containerd whose pulls are what the test says; `answer` asks the canary as containerd would. */
function setUp({
  pull,
  registry = REGISTRY,
  isUp = true,
  images = [],
}: {
  readonly pull: (reference: string, answer: Answer, signal: AbortSignal) => Promise<void>;
  readonly registry?: string;
  readonly isUp?: boolean;
  readonly images?: readonly string[];
}) {
  const clock = createVirtualClock();
  const removed: string[] = [];
  const ended: CanaryResult[] = [];
  const failing = { removals: 0 };
  const canary = createCanary(
    {
      runtime: {
        pull: async (reference, { signal }) => pull(reference, answer, signal),
        remove: async (reference) => {
          if (failing.removals > 0) {
            failing.removals -= 1;
            throw new Error('busy');
          }
          removed.push(reference);
        },
        listImages: async () => images,
        isUp: async () => isUp,
      },
      random: () => randomBytes(16).toString('hex'),
      onEnded: (result) => void ended.push(result),
      clock,
      nowUnixMs: () => 0,
      logger: silentLogger,
    },
    { registry, architecture: 'amd64' },
  );
  const answer: Answer = (path, change = {}) =>
    canary.answer({
      method: 'GET',
      path: parseDistributionPath(path, registry),
      forwarded: false,
      from: '127.0.0.1',
      ...change,
    })?.body;
  return { canary, answer, clock, removed, ended, failing };
}

/** Pulls all of an image, as containerd does. */
async function pullAll(reference: string, answer: Answer): Promise<readonly Digest[]> {
  const { repository, tag } = parseReference(reference);
  expect(answer(`/v2/${repository}/manifests/${tag}`, { method: 'HEAD' })).toBeUndefined();
  const bytes = answer(`/v2/${repository}/manifests/${tag}`) ?? new Uint8Array();
  const manifest = digestOf(bytes);
  expect(answer(`/v2/${repository}/manifests/${manifest}`)).toEqual(bytes);
  const { references } = parseManifest(bytes);
  for (const { digest } of references) {
    expect(digestOf(answer(`/v2/${repository}/blobs/${digest}`) ?? new Uint8Array())).toBe(digest);
  }
  return [manifest, ...references.map(({ digest }) => digest)];
}

describe('createCanary()', () => {
  test('says that the mirror is in use when containerd asks it', async () => {
    let digests: readonly Digest[] = [];
    const { canary, removed, ended, clock } = setUp({
      pull: async (reference, answer) => {
        await clock.sleep(12);
        digests = await pullAll(reference, answer);
        await clock.sleep(30);
      },
    });
    expect(canary.last()).toBeUndefined();
    const running = canary.run(NEVER);
    expect(canary.isRunning).toBe(true);
    await clock.advance(1000);
    const result = await running;
    expect(result).toMatchObject({
      outcome: 'used',
      startedAt: '1970-01-01T00:00:00.000Z',
      durationMs: 42,
      askedAfterMs: 12,
      askedFrom: '127.0.0.1',
      requests: 5,
      isPulled: true,
      isRemoved: true,
    });
    expect(result.text).toBe(
      `containerd asked this mirror for ${result.image} after 12 ms, from 127.0.0.1, and had pulled it after 42 ms`,
    );
    expect(removed).toEqual([result.image]);
    expect(ended).toEqual([result]);
    expect(canary.last()).toEqual(result);
    expect(digests.map((digest) => canary.isCanaryContent(digest))).toEqual([true, true, true]);
    expect(canary.isCanaryContent(OTHER)).toBe(false);
  });

  test('does not repeat the long name of the image that containerd says again and again', async () => {
    const { canary } = setUp({
      pull: async (reference) => {
        throw new Error(`failed to pull "${reference}": failed to resolve "${reference}": not found`);
      },
    });
    const { text, image } = await canary.run(NEVER);
    expect(text.split(image)).toHaveLength(2);
    expect(text).toEndWith('containerd says: failed to pull "…": failed to resolve "…": not found');
  });

  test.each([
    ['containerd asked elsewhere', REGISTRY, 'pulls go to the registries. containerd says: not found'],
    ['all registries are mirrored', NO_REGISTRY, 'has to be the same list'],
  ])('says that it is not in use when %s', async (_, registry, text) => {
    const { canary } = setUp({
      registry,
      pull: async () => {
        throw new Error('not found');
      },
    });
    const result = await canary.run(NEVER);
    expect(result).toMatchObject({
      outcome: 'not-used',
      requests: 0,
      askedAfterMs: undefined,
      isPulled: false,
    });
    expect(result.text).toContain(text);
  });

  test('says that it is in use and the pull failed', async () => {
    const { canary } = setUp({
      pull: async (reference, answer) => {
        const { repository, tag } = parseReference(reference);
        answer(`/v2/${repository}/manifests/${tag}`, { method: 'HEAD' });
        throw new Error('cannot unpack');
      },
    });
    const result = await canary.run(NEVER);
    expect(result).toMatchObject({ outcome: 'used', isPulled: false, isRemoved: true });
    expect(result.text).toEndWith('and could not pull it: cannot unpack');
  });

  test('says that containerd was refused for its password', async () => {
    const { canary } = setUp({
      pull: async (reference) => {
        const { repository, tag } = parseReference(reference);
        canary.refused(parseDistributionPath(`/v2/${repository}/manifests/${tag}`, REGISTRY));
        throw new Error('not found');
      },
    });
    const { outcome, text } = await canary.run(NEVER);
    expect(outcome).toBe('not-used');
    expect(text).toContain('without the password of --basic-auth-dir');
  });

  test('gives a pull up that does not end in time', async () => {
    const { canary, clock, removed } = setUp({
      pull: async (_reference, _answer, signal) => clock.sleep(Infinity, signal),
    });
    const running = canary.run(NEVER);
    await clock.advance(CANARY_DEADLINE_MS);
    expect(await running).toMatchObject({ outcome: 'not-used', durationMs: CANARY_DEADLINE_MS });
    expect(removed).toHaveLength(1);
  });

  test.each([
    ['has no CRI', new StoreUnavailableError('no CRI'), true],
    ['does not answer', new Error('No connection established'), false],
  ])('says that it is not known when containerd %s', async (_, error, isUp) => {
    const { canary } = setUp({
      isUp,
      pull: async () => {
        throw error;
      },
    });
    const { outcome, text } = await canary.run(NEVER);
    expect([outcome, text]).toEqual([
      'unknown',
      `Whether containerd asks this mirror could not be found out: ${error.message}`,
    ]);
  });

  test('answers for its own image only, while it runs, and never for another node', async () => {
    let late = '';
    const statuses: unknown[] = [];
    const { canary, answer } = setUp({
      pull: async (reference) => {
        const { repository, tag } = parseReference(reference);
        late = `/v2/${repository}/manifests/${tag}`;
        const statusOf = (path: string, change?: Partial<CanaryRequest>) => {
          try {
            return answer(path, change) === undefined ? 'passed on' : 200;
          } catch (error) {
            return (error as { status: number }).status;
          }
        };
        const stranger = `/v2/spegel-canary/${'0'.repeat(32)}/manifests/${tag}`;
        statuses.push(
          statusOf(late, { forwarded: true }),
          statusOf(late, { path: parseDistributionPath(late, 'elsewhere.lab') }),
          statusOf(`/v2/${repository}/manifests/v1`),
          statusOf(`/v2/${repository}/blobs/${OTHER}`),
          statusOf(stranger),
          statusOf('/v2/spegel-canary/app/manifests/v1'),
          statusOf('/v2/library/nginx/manifests/latest'),
        );
      },
    });
    expect(await canary.run(NEVER)).toMatchObject({ outcome: 'not-used', requests: 0 });
    expect(statuses).toEqual([404, 404, 404, 404, 404, 'passed on', 'passed on']);
    expect(() => answer(late)).toThrow('not one that is under way');
  });

  test('is one run for all that ask for it at once, and rests between runs', async () => {
    let pulls = 0;
    const { canary, clock } = setUp({
      pull: async () => {
        pulls += 1;
        await clock.sleep(100);
      },
    });
    expect(canary.restMs()).toBe(0);
    const both = Promise.all([canary.run(NEVER), canary.run(NEVER)]);
    await clock.advance(100);
    const [one, other] = await both;
    expect([pulls, one === other]).toEqual([1, true]);
    expect(canary.restMs()).toBe(3000);
    await clock.advance(3000);
    expect(canary.restMs()).toBe(0);
  });

  test('lets a registry be asked by five runs that are asked for, and by more each five minutes', async () => {
    const { canary, clock } = setUp({ pull: async () => {} });
    let runs = 0;
    for (; canary.restMs() <= 3000; runs++) {
      await canary.run(NEVER);
      await clock.advance(3000);
    }
    // The first run is that of the start.
    expect(runs).toBe(6);
    expect(canary.restMs()).toBeGreaterThan(250_000);
    canary.containerdStarted();
    expect(canary.restMs()).toBe(0);
    for (; canary.restMs() <= 3000; runs++) {
      await canary.run(NEVER);
      await clock.advance(3000);
    }
    expect(runs).toBe(11);
    canary.heard(REGISTRY);
    expect(canary.restMs()).toBe(0);
    await canary.run(NEVER);
    await clock.advance(300_000);
    expect(canary.restMs()).toBe(0);
  });

  test('hears that the mirror is asked for something of its registry, until the next run', async () => {
    const { canary } = setUp({ pull: async () => {} });
    canary.heard('elsewhere.lab');
    expect(canary.isHeard).toBe(false);
    canary.heard(REGISTRY);
    expect(canary.isHeard).toBe(true);
    await canary.run(NEVER);
    expect(canary.isHeard).toBe(false);
  });

  test('removes what was left behind, by the name that the CRI knows it by', async () => {
    const left = `${REGISTRY}/spegel-canary/${'0'.repeat(32)}`;
    const { canary, removed, failing } = setUp({
      images: [`${left}:${'1'.repeat(32)}`, `${left}@${OTHER}`, OTHER, `${REGISTRY}/spegel-canary/app:v1`],
      pull: async () => {},
    });
    const first = await canary.run(NEVER);
    expect(removed).toEqual([`${left}:${'1'.repeat(32)}`, first.image]);
    failing.removals = 1;
    const second = await canary.run(NEVER);
    expect(second.isRemoved).toBe(false);
    await canary.run(NEVER);
    // Looked for once after the start, and once because of the removal that failed.
    expect(removed.filter((name) => name.startsWith(left))).toHaveLength(2);
  });

  test('removes its image when the process stops, and has no result', async () => {
    const stop = new AbortController();
    const { canary, clock, removed, ended } = setUp({
      pull: async (_reference, _answer, signal) => clock.sleep(Infinity, signal),
    });
    const running = canary.run(stop.signal);
    await clock.advance(10);
    stop.abort(new Error('stopping'));
    expect(await running.catch((error: unknown) => (error as Error).message)).toBe('stopping');
    expect([removed.length, ended, canary.last()]).toEqual([1, [], undefined]);
  });
});
