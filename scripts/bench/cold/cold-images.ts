import { createImage, type LayerSpec, type TestBlob, type TestImage } from '../../lab/test-image.ts';

/** `random`: one file a layer, which costs nothing to unpack; `realistic`: gzip, and many small files. */
export const CONTENTS = ['random', 'realistic'] as const;
export type Content = (typeof CONTENTS)[number];

/** Options of createColdImages. */
export interface ColdImagesOptions {
  /** Equal seeds give equal images. */
  readonly seed: string;
  /** How many images; they share the lower half of their layers. */
  readonly images: number;
  /** Layers of each image. */
  readonly layers: number;
  /** Size of each image, in bytes. */
  readonly sizeBytes: number;
  readonly content: Content;
}

/** What files of a distribution have in the mean, about. */
const REALISTIC_FILE_BYTES = 64 * 1024;

/** Makes the images that nodes want at the same moment. */
export function createColdImages(options: ColdImagesOptions): readonly TestImage[] {
  const { seed, images, layers, content } = options;
  const sizeBytes = Math.floor(options.sizeBytes / layers);
  const common = images === 1 ? 0 : Math.floor(layers / 2);
  const shape: LayerSpec =
    content === 'random'
      ? { sizeBytes }
      : { sizeBytes, files: Math.max(1, Math.floor(sizeBytes / REALISTIC_FILE_BYTES)), compression: 'gzip' };
  return Array.from({ length: images }, (_image, n) =>
    createImage({
      seed: `${seed} ${n}`,
      layers: Array.from({ length: layers }, (_layer, at) =>
        at < common ? { ...shape, seed: `${seed} common ${at}` } : shape,
      ),
    }),
  );
}

/** The blobs of all images, each once. */
function distinctBlobs(images: readonly TestImage[]): readonly TestBlob[] {
  return [...new Map(images.flatMap(({ blobs }) => blobs.map((blob) => [blob.digest, blob]))).values()];
}

/** Size of what a node without any of the images has to get, in bytes. */
export function distinctBytes(images: readonly TestImage[]): number {
  return distinctBlobs(images).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

/** The layer with the most bytes. Throws for images without layers. */
export function largestLayer(images: readonly TestImage[]): TestBlob {
  const layers = distinctBlobs(images).filter(({ kind }) => kind === 'layer');
  const [largest] = layers.toSorted((a, b) => b.sizeBytes - a.sizeBytes);
  if (largest === undefined) throw new RangeError('There is no layer');
  return largest;
}
