import { expect, test } from 'bun:test';
import { createColdImages, distinctBytes, largestLayer } from './cold-images.ts';

const OPTIONS = { seed: 's', images: 1, layers: 4, sizeBytes: 400_000, content: 'random' } as const;
const layersOf = (images: ReturnType<typeof createColdImages>) =>
  images.map(({ blobs }) => blobs.flatMap(({ kind, digest }) => (kind === 'layer' ? [digest] : [])));

test('createColdImages() gives two images the lower half of their layers in common, and no more', () => {
  const [first = [], second = []] = layersOf(createColdImages({ ...OPTIONS, images: 2 }));
  expect(first.map((digest, at) => digest === second[at])).toEqual([true, true, false, false]);
  expect(new Set([...first, ...second]).size).toBe(6);
});

test('createColdImages() makes a layer that is common to two images anew for another seed', () => {
  const [[one] = [], [other] = []] = ['a', 'b'].map(
    (seed) => layersOf(createColdImages({ ...OPTIONS, images: 2, seed }))[0],
  );
  expect(one).not.toBe(other);
});

test('createColdImages() makes one image of different layers', () => {
  const [layers] = layersOf(createColdImages(OPTIONS));
  expect(new Set(layers).size).toBe(4);
});

test('createColdImages() makes realistic layers of about the size that containerd has to unzip', () => {
  const [image] = createColdImages({ ...OPTIONS, content: 'realistic' });
  const layers = image?.blobs.filter(({ kind }) => kind === 'layer') ?? [];
  expect(layers.map(({ mediaType }) => mediaType.endsWith('tar+gzip'))).toEqual([true, true, true, true]);
  for (const { sizeBytes } of layers) expect(Math.abs(sizeBytes - 100_000)).toBeLessThan(10_000);
});

test('distinctBytes() counts a layer in common once', () => {
  const one = distinctBytes(createColdImages(OPTIONS));
  const two = distinctBytes(createColdImages({ ...OPTIONS, images: 2 }));
  expect(two / one).toBeCloseTo(1.5, 1);
});

test('largestLayer() takes the layer with the most bytes, and throws where there is none', () => {
  const images = createColdImages(OPTIONS);
  expect(layersOf(images)[0]).toContain(largestLayer(images).digest);
  expect(() => largestLayer([])).toThrow(RangeError);
});
