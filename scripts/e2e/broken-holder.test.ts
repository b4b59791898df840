import { afterEach, describe, expect, test } from 'bun:test';
import type { LabNode } from '../lab/lab-node.ts';
import { createImage, type TestImage } from '../lab/test-image.ts';
import { waitFor } from '../lab/wait-for.ts';
import { REGISTRY, untilFound, useLab } from './test-lab.ts';

const MB = 1e6;
/** Far more than all socket buffers on the way, so that a killed sender leaves most of it unsent. */
const LAYER_BYTES = 48 * MB;
/** 16 MB/s: the layer takes three seconds. */
const PULLER_MBIT = 128;
/** What has to be under way before a holder breaks. */
const MID_LAYER_BYTES = 10 * MB;

const lab = useLab({ nodes: [{}, {}, { link: { ingressMbit: PULLER_MBIT } }] });

/** Puts the image on the nodes and waits until the puller finds it. */
async function share(image: TestImage, repository: string, holders: readonly LabNode[]): Promise<void> {
  await lab().upstream.push(image, repository, 'v1');
  for (const holder of holders) await holder.pull(`${REGISTRY}/${repository}:v1`);
  await untilFound(lab().node(3), image, repository, 'v1');
}

/** Waits until one of the holders is in the middle of sending, and returns it and the others. */
async function untilSending(holders: readonly LabNode[]): Promise<{ sender: LabNode; others: LabNode[] }> {
  const before = await Promise.all(holders.map(async ({ endpoint }) => endpoint.traffic()));
  const sender = await waitFor('a holder to send', async () => {
    for (const [n, holder] of holders.entries()) {
      const { sentBytes } = await holder.endpoint.traffic();
      if (sentBytes - (before[n]?.sentBytes ?? 0) > MID_LAYER_BYTES) return holder;
    }
    return undefined;
  });
  return { sender, others: holders.filter((holder) => holder !== sender) };
}

afterEach(async () => {
  for (const { mirror } of lab().nodes) {
    mirror.resume();
    await mirror.launch();
    await mirror.ready();
  }
});

describe('the serving node breaks in mid-layer', () => {
  const breakages: readonly [string, (node: LabNode) => Promise<void>][] = [
    ['killed', async (node) => node.mirror.kill()],
    ['hangs', async (node) => node.mirror.hang()],
  ];

  test.each(breakages)('%s: another holder goes on where it stopped', async (name, breakNode) => {
    const image = createImage({ seed: `two-${name}`, layers: [{ sizeBytes: LAYER_BYTES }] });
    const holders = [lab().node(1), lab().node(2)];
    await share(image, `two-${name}`, holders);
    const upstream = await lab().upstream.count();
    const sending = untilSending(holders);
    const pull = lab().node(3).pull(`${REGISTRY}/two-${name}:v1`);
    const { sender, others } = await sending;
    const sentBefore = (await others[0]?.endpoint.traffic())?.sentBytes ?? 0;
    await breakNode(sender);
    const pullMs = await pull;
    await lab().node(3).verify(image);
    const sentByOther = ((await others[0]?.endpoint.traffic())?.sentBytes ?? 0) - sentBefore;
    console.log(
      `${name}, two holders: ${pullMs.toFixed(0)} ms, ${(sentByOther / MB).toFixed(1)} MB from the other`,
    );
    expect(await upstream.requests()).toEqual([]);
    expect(sentByOther).toBeGreaterThan(LAYER_BYTES / 4);
    expect(sentByOther).toBeLessThan(LAYER_BYTES);
  });

  test.each(breakages)('%s: upstream goes on where the only holder stopped', async (name, breakNode) => {
    const image = createImage({ seed: `one-${name}`, layers: [{ sizeBytes: LAYER_BYTES }] });
    const holder = lab().node(1);
    await share(image, `one-${name}`, [holder]);
    const upstream = await lab().upstream.count();
    const sending = untilSending([holder]);
    const pull = lab().node(3).pull(`${REGISTRY}/one-${name}:v1`);
    await sending;
    await breakNode(holder);
    const pullMs = await pull;
    await lab().node(3).verify(image);
    const layers = (await upstream.requests()).filter(({ kind }) => kind === 'blobs');
    const bytes = layers.reduce((sum, { bodyBytes }) => sum + bodyBytes, 0);
    console.log(`${name}, one holder: ${pullMs.toFixed(0)} ms, ${(bytes / MB).toFixed(1)} MB from upstream`);
    expect(layers.map(({ status }) => status)).toEqual([206]);
    expect(bytes).toBeGreaterThan(LAYER_BYTES / 4);
    expect(bytes).toBeLessThan(LAYER_BYTES);
  });
});
