import { beforeAll, expect, test } from 'bun:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LabNode } from '../lab/lab-node.ts';
import { MIRROR_PORTS } from '../lab/mirror.ts';
import { type BlobReader, type BlobReading, readBlobs, startReaders } from '../lab/read-blobs.ts';
import { createImage } from '../lab/test-image.ts';
import { contentPath, untilFound } from '../lab/until-found.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { blobPath } from '../lab/verify-image.ts';
import { useLab } from './test-lab.ts';

const MB = 1e6;
const LAYER_BYTES = 24 * MB;
const READERS = 40;
/** Between two breakages: long enough that most bodies get new sources and go on. */
const BREAK_EVERY_MS = 700;

/** Nodes 1 and 2 have the image; 3 has not. */
const lab = useLab({ nodes: 3 });
const image = createImage({
  seed: 'exact',
  layers: Array.from({ length: 4 }, (_, n) => ({ sizeBytes: LAYER_BYTES + n * 12_345 })),
});
const layers = image.blobs.filter(({ kind }) => kind === 'layer');

beforeAll(async () => {
  for (const n of [1, 2]) await lab().node(n).importImage(image, `${REGISTRY}/exact:v1`);
  await untilFound(lab().node(3), image, 'exact', 'v1');
});

/** Readers of every speed from 0.5 MB/s up to as fast as it comes, of every layer, from the start and from inside. */
function mixedReaders(target: LabNode, aborting: boolean): BlobReader[] {
  return Array.from({ length: READERS }, (_, n) => {
    const layer = layers[n % layers.length];
    if (layer === undefined) throw new Error('The image has no layers');
    const speed = n % 5 === 0 ? {} : { bytesPerSecond: (n % 5) * 2 * MB };
    return {
      host: target.endpoint.ipv4,
      port: MIRROR_PORTS.registry,
      path: contentPath('exact', layer),
      file: blobPath(lab().node(1).containerd, layer.digest),
      resumes: true,
      ...(n % 3 === 0 ? { offset: 1 + n * 100_003 } : {}),
      ...speed,
      // Some leave at once, some near the end.
      ...(aborting && n % 2 === 1 ? { abortAfterBytes: n * n * 10_000 } : {}),
    };
  });
}

function expectExact(readings: readonly BlobReading[], readers: readonly BlobReader[]): void {
  expect(readings).toHaveLength(READERS);
  const sizes = readers.map(({ path }) => layers.find(({ digest }) => path.includes(digest))?.sizeBytes ?? 0);
  readings.forEach(({ ended, wrongAt, receivedBytes, status }, n) => {
    const { offset = 0, abortAfterBytes } = readers[n] as BlobReader;
    expect(wrongAt).toBeUndefined();
    if (abortAfterBytes === undefined) {
      expect({ n, ended, status, receivedBytes }).toMatchObject({
        ended: 'complete',
        receivedBytes: (sizes[n] ?? 0) - offset,
      });
    } else expect(['aborted', 'complete']).toContain(ended);
  });
  const total = readings.reduce((sum, reading) => sum + reading.receivedBytes, 0);
  const resumed = readings.filter(({ requests }) => requests > 1).length;
  const aborted = readings.filter(({ ended }) => ended === 'aborted').length;
  console.log(`${(total / MB).toFixed(0)} MB exact; ${aborted} aborted, ${resumed} resumed`);
}

test('every byte is right while other readers leave', async () => {
  const readers = mixedReaders(lab().node(3), true);
  expectExact(await readBlobs(lab().hub, readers), readers);
});

test('every byte is right while holders are killed and hang in turn', async () => {
  const target = lab().node(3);
  const readers = mixedReaders(target, true);
  const over = new AbortController();
  const breaking = async () => {
    // One holder is left at any time.
    for (let n = 0; !over.signal.aborted; n++) {
      const { mirror } = lab().node(1 + (n % 2));
      if (n % 4 < 2) {
        await mirror.kill();
        await sleep(BREAK_EVERY_MS);
        await mirror.launch();
        await mirror.ready();
      } else {
        await mirror.hang();
        await sleep(BREAK_EVERY_MS * 2);
        mirror.resume();
      }
      await untilFound(target, image, 'exact', 'v1');
    }
  };
  const [readings] = await Promise.all([
    readBlobs(lab().hub, readers).finally(() => over.abort()),
    breaking(),
  ]);
  expectExact(readings, readers);
  expect(target.mirror.running).toBe(true);
  await lab().node(3).pull(`${REGISTRY}/exact:v1`);
  await lab().node(3).verify(image);
});

test('what a reader gets is a right beginning when the only way to a holder is lost', async () => {
  const target = lab().node(3);
  await target.removeImage(image);
  await lab().node(2).mirror.stop();
  await untilFound(target, image, 'exact', 'v1');
  const readers = mixedReaders(target, false).map((reader): BlobReader =>
    Object.assign(reader, { bytesPerSecond: 4 * MB, resumes: false }),
  );
  const { underWay, readings: running } = startReaders(lab().hub, readers);
  await underWay;
  await lab().node(1).mirror.kill();
  const readings = await running;
  expect(readings).toHaveLength(READERS);
  for (const { ended, wrongAt, receivedBytes } of readings) {
    // Neither a clean end nor a reset: containerd goes on from here only after a FIN.
    expect({ ended, wrongAt }).toEqual({ ended: 'short', wrongAt: undefined });
    expect(receivedBytes).toBeGreaterThan(0);
  }
});
