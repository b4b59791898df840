import { expect, test } from 'bun:test';
import { fillContent } from '../lab/fill-content.ts';
import { createImage } from '../lab/test-image.ts';
import { untilFound } from '../lab/until-found.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { useLab } from './test-lab.ts';

const MB = 1e6;
const LAYER_BYTES = 12 * MB;
/** So little of the layer does not fit that the mirror has given all of it: it waits in the buffers of the connection. */
const MISSING_BYTES = 32 * 1024;
/** Tries as a person makes them. In the time between two of them the mirror judges what was not committed. */
const RETRY_MS = 500;

const lab = useLab({ nodes: [{}, { contentBytes: 4 * LAYER_BYTES }] });

test('a disk that is full fails the pull, and no peer is blamed for it: with room again the image comes from the same peer', async () => {
  const image = createImage({ seed: 'full', layers: [{ sizeBytes: LAYER_BYTES }] });
  const reference = `${REGISTRY}/full:v1`;
  const [holder, puller] = [lab().node(1), lab().node(2)];
  await lab().upstream.push(image, 'full', 'v1');
  await holder.pull(reference);
  await untilFound(puller, image, 'full', 'v1');
  const upstream = await lab().upstream.count();
  const makeRoom = await fillContent(puller, LAYER_BYTES - MISSING_BYTES);
  for (let tries = 0; tries < 2; tries++) {
    const failure = await puller.pull(reference).then(() => 'none', String);
    expect(failure).toContain('no space left on device');
    await Bun.sleep(RETRY_MS);
  }
  makeRoom();
  await puller.pull(reference);
  await puller.verify(image);
  expect(await upstream.requests()).toEqual([]);
  expect((await puller.mirror.metrics()).sum('spegel_wrong_blobs_total')).toBe(0);
  expect(
    (await puller.mirror.metrics()).sum('spegel_served_bytes_total', { source: 'peer' }),
  ).toBeGreaterThanOrEqual(LAYER_BYTES);
});
