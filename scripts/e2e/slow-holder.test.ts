import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import type { LabNode } from '../lab/lab-node.ts';
import type { Pace } from '../lab/mirror.ts';
import { createImage, type TestImage } from '../lab/test-image.ts';
import { untilFound } from '../lab/until-found.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { useLab } from './test-lab.ts';

const LAYERS = 7;
const LAYER_BYTES = 4e6;
/** At 256 kbit/s one layer takes two minutes, at a byte in 0.9 s the rest of this century. */
const PULL_TIMEOUT_MS = 60_000;

const PACES: readonly (readonly [string, Exclude<Pace, 'lie' | undefined>])[] = [
  ['a byte in 0.9 s', { bytes: 1, everyMs: 900 }],
  ['256 kbit/s', { bytes: 3200, everyMs: 100 }],
];

const lab = useLab({ nodes: [{ hasFront: true }, {}, {}] });
const slow = () => lab().node(1);
const healthy = () => lab().node(2);
const puller = () => lab().node(3);

/** Results of the puller's requests to peers. */
const asked = async (result: string): Promise<number> =>
  (await puller().mirror.metrics()).sum('spegel_peer_requests_total', { result });

async function share(image: TestImage, repository: string, holders: readonly LabNode[]): Promise<string> {
  const reference = `${REGISTRY}/${repository}:v1`;
  await lab().upstream.push(image, repository, 'v1');
  for (const holder of holders) await holder.pull(reference);
  await untilFound(puller(), image, repository, 'v1');
  return reference;
}

beforeEach(async () => {
  slow().mirror.setPace(undefined);
  // It remembers who was slow.
  await puller().mirror.restart();
});
afterEach(() => slow().mirror.setPace(undefined));

describe('a holder that is slow', () => {
  test.each(PACES)('%s, beside a healthy one: that goes on, upstream is not asked', async (name, pace) => {
    const layers = Array.from({ length: LAYERS }, () => ({ sizeBytes: LAYER_BYTES }));
    const image = createImage({ seed: `two-${name}`, layers });
    const reference = await share(image, `two-${pace.bytes}`, [slow(), healthy()]);
    const upstream = await lab().upstream.count();
    slow().mirror.setPace(pace);
    const pullMs = await puller().pull(reference, { timeoutMs: PULL_TIMEOUT_MS });
    await puller().verify(image);
    console.log(`${name}, two holders: ${pullMs.toFixed(0)} ms, ${await asked('slow')} slow sources`);
    expect(await upstream.requests()).toEqual([]);
    // containerd fetches three at a time, and what was slow once is not asked again.
    expect(await asked('slow')).toBeGreaterThan(0);
    expect(await asked('slow')).toBeLessThanOrEqual(3);
  });

  test.each(PACES)('%s, and the only one: upstream goes on', async (name, pace) => {
    const layers = Array.from({ length: LAYERS }, () => ({ sizeBytes: LAYER_BYTES }));
    const image = createImage({ seed: `one-${name}`, layers });
    const reference = await share(image, `one-${pace.bytes}`, [slow()]);
    const upstream = await lab().upstream.count();
    slow().mirror.setPace(pace);
    const pullMs = await puller().pull(reference, { timeoutMs: PULL_TIMEOUT_MS });
    await puller().verify(image);
    const blobs = (await upstream.requests()).filter(({ kind }) => kind === 'blobs');
    console.log(
      `${name}, one holder: ${pullMs.toFixed(0)} ms, ${await asked('slow')} slow sources, upstream ${blobs.map(({ status }) => status).join(' ')}`,
    );
    expect(await asked('slow')).toBeGreaterThan(0);
    expect(await asked('slow')).toBeLessThanOrEqual(3);
    // The layers that were under way go on at their byte, the others are asked for from the start.
    expect(blobs.length).toBeGreaterThanOrEqual(LAYERS);
    expect(blobs.filter(({ status }) => status === 206)).toHaveLength(await asked('slow'));
  });
});

describe('holders far away', () => {
  test('2 Mbit/s for three layers at once is what there is: no holder is blamed', async () => {
    const layers = Array.from({ length: 3 }, () => ({ sizeBytes: 0.8e6 }));
    const image = createImage({ seed: 'far', layers });
    const reference = await share(image, 'far', [slow()]);
    const upstream = await lab().upstream.count();
    slow().mirror.setPace({ bytes: 8333, everyMs: 100 });
    const pullMs = await puller().pull(reference, { timeoutMs: PULL_TIMEOUT_MS });
    await puller().verify(image);
    console.log(`2 Mbit/s: ${pullMs.toFixed(0)} ms`);
    expect([await asked('slow'), await asked('stalled')]).toEqual([0, 0]);
    expect(await upstream.requests()).toEqual([]);
  });
});
