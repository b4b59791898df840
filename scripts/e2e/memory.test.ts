import { expect, test } from 'bun:test';
import type { LabNode } from '../lab/lab-node.ts';
import { type BlobReader, readBlobs } from '../lab/read-blobs.ts';
import { MIRROR_PORTS } from '../lab/mirror.ts';
import { createImage } from '../lab/test-image.ts';
import { contentPath, untilFound } from '../lab/until-found.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { blobPath } from '../lab/verify-image.ts';
import { useLab } from './test-lab.ts';

const MIB = 1024 * 1024;
const MB = 1e6;
/** What the chart gives a mirror, as request and limit. */
const LIMIT_BYTES = 128 * MIB;
/** The layer that goes from node to node. 2000 takes a minute and 9 GB. */
const LAYER_MB = Number(process.env['SPEGEL_E2E_LAYER_MB'] ?? 512);
const READERS = 50;
const READER_BYTES_PER_SECOND = 1 * MB;
/** With the rate: 18 s, of which the last two may come from buffers on the way. */
const READ_BYTES = 18 * MB;

const lab = useLab({
  nodes: 2,
  memoryLimitBytes: LIMIT_BYTES,
  // A 2 GB layer: the archive, and what two nodes keep.
  roomBytes: 4 * LAYER_MB * MB + 2 * 1024 * MIB,
});

/** Prints the peaks, and checks that no mirror was killed or came near to it. */
function checkMemory(what: string, nodes: readonly LabNode[]): void {
  for (const { name, mirror } of nodes) {
    const { peakBytes, peakTcpBytes, oomKills, tcpAtLimit } = mirror.memoryUse();
    const peaks = `${(peakBytes / MIB).toFixed(1)} MiB, of TCP ${(peakTcpBytes / MIB).toFixed(1)} MiB`;
    console.log(`${what}, ${name}: peak ${peaks}`);
    expect(mirror.running).toBe(true);
    expect({ oomKills, tcpAtLimit }).toEqual({ oomKills: 0, tcpAtLimit: 0 });
    // v1 counts them apart, at peaks of their own: together they were never more than this.
    expect(peakBytes + peakTcpBytes).toBeLessThanOrEqual(LIMIT_BYTES);
  }
}

test('50 readers at 1 MB/s are served within 128 MiB through a node that lacks the blob', async () => {
  const { node, nodes, hub } = lab();
  const image = createImage({
    seed: 'readers',
    layers: Array.from({ length: 5 }, () => ({ sizeBytes: READ_BYTES })),
  });
  await node(1).importImage(image, `${REGISTRY}/readers:v1`);
  await untilFound(node(2), image, 'readers', 'v1');
  const layers = image.blobs.filter(({ kind }) => kind === 'layer');
  const readers = Array.from({ length: READERS }, (_, n): BlobReader => {
    const layer = layers[n % layers.length];
    if (layer === undefined) throw new Error('The image has no layers');
    return {
      host: node(2).endpoint.ipv4,
      port: MIRROR_PORTS.registry,
      path: contentPath('readers', layer),
      file: blobPath(node(1).containerd, layer.digest),
      bytesPerSecond: READER_BYTES_PER_SECOND,
    };
  });
  const readings = await readBlobs(hub, readers);
  const durations = readings.map(({ durationMs }) => durationMs / 1000).sort((a, b) => a - b);
  console.log(`${READERS} readers: ${durations[0]?.toFixed(1)} to ${durations.at(-1)?.toFixed(1)} s`);
  expect(readings).toHaveLength(READERS);
  for (const { ended, wrongAt, receivedBytes } of readings) {
    expect({ ended, wrongAt }).toEqual({ ended: 'complete', wrongAt: undefined });
    expect(receivedBytes).toBeGreaterThanOrEqual(READ_BYTES);
  }
  expect(durations[0]).toBeGreaterThan(15);
  checkMemory('50 readers', nodes);
});

test('a large layer is pulled node to node within 128 MiB', async () => {
  const { node, nodes, upstream } = lab();
  const image = createImage({ seed: 'large', layers: [{ sizeBytes: LAYER_MB * MB, files: 4 }] });
  await node(1).importImage(image, `${REGISTRY}/large:v1`);
  await untilFound(node(2), image, 'large', 'v1');
  const asked = await upstream.count();
  const pullMs = await node(2).pull(`${REGISTRY}/large:v1`, { via: 'ctr-fetch', timeoutMs: 120_000 });
  await node(2).verify(image);
  console.log(`${LAYER_MB} MB in ${(pullMs / 1000).toFixed(1)} s`);
  expect(await asked.requests()).toEqual([]);
  checkMemory(`${LAYER_MB} MB`, nodes);
});
