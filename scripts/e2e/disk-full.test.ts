import { expect, test } from 'bun:test';
import { fillContent } from '../lab/fill-content.ts';
import { createImage } from '../lab/test-image.ts';
import { untilFound } from '../lab/until-found.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { useLab } from './test-lab.ts';

const MB = 1e6;
const layers = [{ sizeBytes: 12 * MB }, { sizeBytes: 12 * MB }];

const lab = useLab({ nodes: [{}, { contentBytes: 60 * MB }] });

test('a disk that is full fails the pull, and no peer is blamed for it: with room again the image comes from the same peer', async () => {
  const image = createImage({ seed: 'full', layers });
  const reference = `${REGISTRY}/full:v1`;
  const [holder, puller] = [lab().node(1), lab().node(2)];
  await lab().upstream.push(image, 'full', 'v1');
  await holder.pull(reference);
  await untilFound(puller, image, 'full', 'v1');
  const upstream = await lab().upstream.count();
  const makeRoom = await fillContent(puller, 16 * MB);
  for (let tries = 0; tries < 2; tries++) {
    const failure = await puller.pull(reference).then(() => 'none', String);
    expect(failure).toContain('no space left on device');
  }
  makeRoom();
  await puller.pull(reference);
  await puller.verify(image);
  expect(await upstream.requests()).toEqual([]);
  expect((await puller.mirror.metrics()).sum('spegel_wrong_blobs_total')).toBe(0);
  expect(
    (await puller.mirror.metrics()).sum('spegel_served_bytes_total', { source: 'peer' }),
  ).toBeGreaterThan(24 * MB);
});
