import { createTar } from './tar.ts';
import { randomBytesFrom } from './random-bytes.ts';

/** A layer to make. */
export interface LayerSpec {
  readonly sizeBytes: number;
  /** How many files share the size. Default 1. */
  readonly files?: number;
  /** Default none: random content does not compress, and unpacking costs nothing. */
  readonly compression?: 'none' | 'gzip';
  /** Layers with equal seeds are the same blob, in whatever image. Default: the image's seed and the layer's number. */
  readonly seed?: string;
}

/** A piece of content with its descriptor. */
export interface TestBlob {
  readonly mediaType: string;
  readonly digest: string;
  readonly sizeBytes: number;
  readonly kind: 'index' | 'manifest' | 'config' | 'layer';
  /** Made anew from the seed at each call, so that large images are not kept in memory. */
  readonly content: () => Uint8Array<ArrayBuffer>;
}

/** An image that exists only as a seed until it is pushed or written. */
export interface TestImage {
  /** What the tag points at. */
  readonly root: TestBlob;
  /** Children before parents; the last one is the root. */
  readonly blobs: readonly TestBlob[];
  /** What a node of a platform, such as linux/amd64, has after a pull. */
  readonly blobsFor: (platform: string) => readonly TestBlob[];
}

/** Options of createImage. */
export interface ImageOptions {
  /** Equal seeds give equal images, different ones share no blob but layers that have a seed of their own. */
  readonly seed: string;
  readonly layers: readonly LayerSpec[];
  /** Default this machine's. */
  readonly platform?: string;
  /** False leaves mediaType out of the manifest, which OCI 1.0 allows. Default true. */
  readonly withMediaType?: boolean;
}

const OCI = 'application/vnd.oci.image';
const MANIFEST_TYPE = `${OCI}.manifest.v1+json`;
const INDEX_TYPE = `${OCI}.index.v1+json`;
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** The platform of this machine as OCI names it. */
export const HOST_PLATFORM = `linux/${ARCHITECTURES[process.arch] ?? process.arch}`;

/** Makes an image for one platform. */
export function createImage(options: ImageOptions): TestImage {
  const { seed, platform = HOST_PLATFORM, withMediaType = true } = options;
  const [os, architecture] = platform.split('/');
  const layers = options.layers.map((spec, n) =>
    createLayer(spec.seed ?? `${seed}/${platform}/layer${n}`, spec),
  );
  const config = jsonBlob('config', `${OCI}.config.v1+json`, {
    architecture,
    os,
    config: { Labels: { seed } },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
  });
  const manifest = jsonBlob('manifest', MANIFEST_TYPE, {
    schemaVersion: 2,
    ...(withMediaType ? { mediaType: MANIFEST_TYPE } : {}),
    config: descriptor(config),
    layers: layers.map(({ blob }) => descriptor(blob)),
  });
  const blobs = [...layers.map(({ blob }) => blob), config, manifest];
  return { root: manifest, blobs, blobsFor: () => blobs };
}

/** Joins images of several platforms under an index. */
export function createIndex(images: Readonly<Record<string, TestImage>>): TestImage {
  const index = jsonBlob('index', INDEX_TYPE, {
    schemaVersion: 2,
    mediaType: INDEX_TYPE,
    manifests: Object.entries(images).map(([platform, image]) => {
      const [os, architecture] = platform.split('/');
      const { mediaType, digest, size } = descriptor(image.root);
      return { mediaType, digest, size, platform: { architecture, os } };
    }),
  });
  return {
    root: index,
    blobs: [...Object.values(images).flatMap(({ blobs }) => blobs), index],
    blobsFor: (platform) => [...(images[platform]?.blobs ?? []), index],
  };
}

/** Makes an artifact: a manifest whose config and blobs have types that no runtime knows. */
export function createArtifact(seed: string, sizesBytes: readonly number[]): TestImage {
  const layers = sizesBytes.map((size, n) =>
    createBlob('layer', 'application/vnd.lab.data.v1', () => bytes(randomBytesFrom(`${seed}/${n}`, size))),
  );
  const config = jsonBlob('config', 'application/vnd.lab.config.v1+json', { seed });
  const manifest = jsonBlob('manifest', MANIFEST_TYPE, {
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    artifactType: 'application/vnd.lab.artifact.v1',
    config: descriptor(config),
    layers: layers.map(descriptor),
  });
  const blobs = [...layers, config, manifest];
  return { root: manifest, blobs, blobsFor: () => blobs };
}

function createLayer(seed: string, { sizeBytes, files = 1, compression = 'none' }: LayerSpec) {
  const tar = () =>
    createTar([
      { name: 'data/', content: new Uint8Array() },
      ...Array.from({ length: files }, (_, n) => ({
        name: `data/${Bun.hash(seed).toString(16)}-${n}`,
        content: randomBytesFrom(`${seed}/${n}`, Math.floor(sizeBytes / files)),
      })),
    ]);
  const zipped = compression === 'gzip';
  const blob = createBlob('layer', `${OCI}.layer.v1.tar${zipped ? '+gzip' : ''}`, () =>
    zipped ? Bun.gzipSync(tar(), { level: 1 }) : tar(),
  );
  return { blob, diffId: zipped ? digestOf(tar()) : blob.digest };
}

function jsonBlob(kind: TestBlob['kind'], mediaType: string, value: unknown): TestBlob {
  return createBlob(kind, mediaType, () => new TextEncoder().encode(JSON.stringify(value)));
}

function createBlob(
  kind: TestBlob['kind'],
  mediaType: string,
  content: () => Uint8Array<ArrayBuffer>,
): TestBlob {
  const bytes = content();
  return { kind, mediaType, digest: digestOf(bytes), sizeBytes: bytes.length, content };
}

function descriptor({ mediaType, digest, sizeBytes }: TestBlob) {
  return { mediaType, digest, size: sizeBytes };
}

function digestOf(content: Uint8Array): string {
  return `sha256:${new Bun.CryptoHasher('sha256').update(content).digest('hex')}`;
}

function bytes(content: Uint8Array): Uint8Array<ArrayBuffer> {
  return content as Uint8Array<ArrayBuffer>;
}
