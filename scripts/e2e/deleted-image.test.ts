import { expect, test } from 'bun:test';
import { createImage } from '../lab/test-image.ts';
import { contentPath, untilFound } from '../lab/until-found.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { waitFor } from '../lab/wait-for.ts';
import { useLab } from './test-lab.ts';

const lab = useLab({ nodes: 2 });

test('a node that fetched a manifest stops serving it when no node has the image any more, however often it is asked', async () => {
  const [holder, asked] = [lab().node(1), lab().node(2)];
  const image = createImage({ seed: 'deleted', layers: [{ sizeBytes: 10_000 }] });
  await holder.importImage(image, `${REGISTRY}/deleted:v1`);
  await untilFound(asked, image, 'deleted', 'v1');
  const statuses = async () =>
    Promise.all(
      image.blobs.map(async (blob) => (await asked.mirror.fetch(contentPath('deleted', blob))).status),
    );
  expect(await statuses()).toEqual(image.blobs.map(() => 200));

  await holder.removeImage(image);
  const gone = image.blobs.map(() => 404);
  await waitFor('all of the image to be gone', async () => Bun.deepEquals(await statuses(), gone), {
    timeoutMs: 60_000,
  });
});
