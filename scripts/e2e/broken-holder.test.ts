import { afterEach, describe, expect, test } from 'bun:test';
import type { LabNode } from '../lab/lab-node.ts';
import { createImage, type TestImage } from '../lab/test-image.ts';
import { waitFor } from '../lab/wait-for.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { untilFound } from '../lab/until-found.ts';
import { useLab } from './test-lab.ts';

const MB = 1e6;
/** Far more than all socket buffers on the way, so that a killed sender leaves most of it unsent. */
const LAYER_BYTES = 48 * MB;
/** 3 MB/s until a holder breaks: the layer would take 16 seconds, so that a test that is held up still breaks it in the middle. */
const SLOW_MBIT = 24;
/** 16 MB/s from then on. */
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

/** Pulls on node 3 and breaks the holder that is in the middle of sending; returns it, the time, and what each holder sent. */
async function pullWhileBreaking(
  reference: string,
  holders: readonly LabNode[],
  breakNode: (holder: LabNode) => Promise<void>,
): Promise<{ readonly pullMs: number; readonly sentByOthers: number }> {
  const link = lab().node(3).endpoint;
  await link.shape({ ingressMbit: SLOW_MBIT });
  const traffic = await Promise.all(holders.map(async ({ endpoint }) => endpoint.traffic()));
  const sentBy = async (holder: LabNode): Promise<number> => {
    const before = traffic[holders.indexOf(holder)]?.sentBytes ?? 0;
    return (await holder.endpoint.traffic()).sentBytes - before;
  };
  const breaking = async (): Promise<readonly LabNode[]> => {
    const sender = await waitFor('a holder to send', async () => {
      for (const holder of holders) if ((await sentBy(holder)) > MID_LAYER_BYTES) return holder;
      return undefined;
    });
    await breakNode(sender);
    await link.shape({ ingressMbit: PULLER_MBIT });
    return holders.filter((holder) => holder !== sender);
  };
  const [pullMs, others] = await Promise.all([lab().node(3).pull(reference), breaking()]);
  const sent = await Promise.all(others.map(sentBy));
  return { pullMs, sentByOthers: sent.reduce((sum, bytes) => sum + bytes, 0) };
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
    const reference = `${REGISTRY}/two-${name}:v1`;
    const { pullMs, sentByOthers } = await pullWhileBreaking(reference, holders, breakNode);
    await lab().node(3).verify(image);
    console.log(
      `${name}: ${pullMs.toFixed(0)} ms, ${(sentByOthers / MB).toFixed(1)} MB from the other holder`,
    );
    expect(await upstream.requests()).toEqual([]);
    expect(sentByOthers).toBeGreaterThan(LAYER_BYTES / 4);
    expect(sentByOthers).toBeLessThan(LAYER_BYTES);
  });

  test.each(breakages)('%s: upstream goes on where the only holder stopped', async (name, breakNode) => {
    const image = createImage({ seed: `one-${name}`, layers: [{ sizeBytes: LAYER_BYTES }] });
    const holder = lab().node(1);
    await share(image, `one-${name}`, [holder]);
    const upstream = await lab().upstream.count();
    const reference = `${REGISTRY}/one-${name}:v1`;
    const { pullMs } = await pullWhileBreaking(reference, [holder], breakNode);
    await lab().node(3).verify(image);
    const layers = (await upstream.requests()).filter(({ kind }) => kind === 'blobs');
    const bytes = layers.reduce((sum, { bodyBytes }) => sum + bodyBytes, 0);
    console.log(`${name}, one holder: ${pullMs.toFixed(0)} ms, ${(bytes / MB).toFixed(1)} MB from upstream`);
    expect(layers.map(({ status }) => status)).toEqual([206]);
    expect(bytes).toBeGreaterThan(LAYER_BYTES / 4);
    expect(bytes).toBeLessThan(LAYER_BYTES);
  });
});
