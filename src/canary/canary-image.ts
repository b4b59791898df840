import { type Digest, digestOf } from '../oci/digest.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';
import { canaryRepository } from './canary-name.ts';

const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json';
const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar+gzip';
/** Blocks of tar (POSIX.1, ustar), in bytes. */
const BLOCK_BYTES = 512;

/** What createCanaryImage() needs to know. */
export interface CanaryImageOptions {
  /** Host and port, as containerd names the registry. */
  readonly registry: string;
  /** As Go names it: `amd64`, `arm64`. containerd unpacks no image of another one. */
  readonly architecture: string;
  /** Gives 32 hex digits that nothing can guess, others each time. */
  readonly random: () => string;
}

/** An image that is nowhere but in memory. */
export interface CanaryImage {
  readonly registry: string;
  readonly repository: string;
  readonly tag: string;
  /** `registry/repository:tag`. */
  readonly reference: string;
  readonly manifest: Digest;
  /** The manifest, the config and the layer. */
  readonly contents: ReadonlyMap<Digest, Uint8Array>;
}

/** Makes an image of some hundred bytes with a fresh name and fresh digests: one layer, which has one small file. */
export function createCanaryImage({ registry, architecture, random }: CanaryImageOptions): CanaryImage {
  const repository = canaryRepository(random());
  const tag = random();
  const layerTar = tarOf('spegel-canary', new TextEncoder().encode(`${random()}\n`));
  const layer = Bun.gzipSync(layerTar);
  const config = jsonOf({
    architecture,
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: [digestOf(layerTar)] },
    history: [{ created_by: 'spegel canary' }],
  });
  const manifest = jsonOf({
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociManifest,
    config: descriptorOf(CONFIG_TYPE, config),
    layers: [descriptorOf(LAYER_TYPE, layer)],
  });
  return {
    registry,
    repository,
    tag,
    reference: `${registry}/${repository}:${tag}`,
    manifest: digestOf(manifest),
    contents: new Map([manifest, config, layer].map((bytes) => [digestOf(bytes), bytes])),
  };
}

function jsonOf(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function descriptorOf(mediaType: string, bytes: Uint8Array) {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

/** A tar with one file that everybody may read. */
function tarOf(name: string, content: Uint8Array): Uint8Array<ArrayBuffer> {
  const contentBlocks = Math.ceil(content.length / BLOCK_BYTES);
  // Two empty blocks are the end.
  const tar = new Uint8Array((1 + contentBlocks + 2) * BLOCK_BYTES);
  const write = (text: string, offset: number) => new TextEncoder().encodeInto(text, tar.subarray(offset));
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0');
  write(name, 0);
  write(octal(0o444, 7), 100);
  write(octal(0, 7), 108);
  write(octal(0, 7), 116);
  write(octal(content.length, 11), 124);
  write(octal(0, 11), 136);
  // The checksum is that of the header with spaces in its place.
  write(' '.repeat(8), 148);
  write('0', 156);
  write('ustar\u000000', 257);
  const sum = tar.subarray(0, BLOCK_BYTES).reduce((total, byte) => total + byte, 0);
  write(`${octal(sum, 6)}\u0000 `, 148);
  tar.set(content, BLOCK_BYTES);
  return tar;
}
