import { digestOf, type Digest } from '../../../src/oci/digest.ts';
import { type Descriptor, parseManifest } from '../../../src/oci/manifest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import { createRandom, type Random } from '../random.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
/** What production gets whole and verifies, in bytes: docs/INTEGRITY.md promises it. */
export const VERIFIED_BYTES = 64 * KIB;
/** The character 0. */
const ZERO = 48;
const LONGEST_CONFIG_BYTES = 200 * KIB;

/** One piece of content. */
export interface TransferContent {
  readonly kind: 'manifest' | 'config' | 'layer';
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** Its bytes; undefined of a layer that is not verified on its way: of that only where it begins and ends is played. */
  readonly bytes: Uint8Array | undefined;
}

/** An image of one platform. */
export interface TransferImage {
  readonly repository: string;
  readonly manifest: TransferContent;
  readonly contents: readonly TransferContent[];
  /** What its manifest says of its contents. */
  readonly references: readonly Descriptor[];
}

/** Which layers images have. `mixed`: most are large; `small`: all are verified; `large`: none is. */
export type LayerSizes = 'mixed' | 'small' | 'large';

/** Makes images. The image of the same number is the same each time; half of its layers are those of its neighbours, too. */
export function createImages(
  seed: number,
  { layers, layerSizes }: { readonly layers: number; readonly layerSizes: LayerSizes },
) {
  const known = new Map<string, TransferContent>();
  const contentOf = (kind: 'config' | 'layer', name: string, random: Random): TransferContent => {
    const before = known.get(name);
    if (before !== undefined) return before;
    const sizeBytes = kind === 'config' ? configBytes(random) : layerBytes(random, layerSizes);
    const bytes = sizeBytes <= LONGEST_CONFIG_BYTES ? Buffer.alloc(sizeBytes, name) : undefined;
    const digest = digestOf(bytes ?? Buffer.from(`${name} ${sizeBytes}`));
    const content: TransferContent = { kind, digest, sizeBytes, bytes };
    known.set(name, content);
    return content;
  };
  const make = (number: number): TransferImage => {
    const random = createRandom(seed).fork(number);
    const family = Math.floor(number / 4);
    const config = contentOf('config', `config ${seed} ${number}`, random);
    const all = Array.from({ length: layers }, (_, layer) => {
      const name =
        layer < layers / 2 ? `base ${seed} ${family} ${layer}` : `layer ${seed} ${number} ${layer}`;
      return contentOf('layer', name, random);
    });
    const describe = ({ digest, sizeBytes, kind }: TransferContent) => ({
      mediaType:
        kind === 'config'
          ? 'application/vnd.oci.image.config.v1+json'
          : 'application/vnd.oci.image.layer.v1.tar+gzip',
      digest,
      size: sizeBytes,
    });
    const text = JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.ociManifest,
      config: describe(config),
      layers: all.map(describe),
    });
    const bytes = Buffer.from(text);
    return {
      repository: `library/image-${number}`,
      manifest: { kind: 'manifest', digest: digestOf(bytes), sizeBytes: bytes.length, bytes },
      contents: [config, ...all],
      references: parseManifest(bytes).references,
    };
  };
  return { make };
}

/** The same bytes, with one of them wrong: of a manifest in a digest, so that it can be read all the same. */
export function wrongBytesOf({ kind, bytes }: TransferContent): Uint8Array | undefined {
  if (bytes === undefined) return undefined;
  const wrong = Uint8Array.from(bytes);
  const place =
    kind === 'manifest' ? Buffer.from(bytes).indexOf('sha256:') + 'sha256:'.length : wrong.length - 1;
  wrong[place] = wrong[place] === ZERO ? ZERO + 1 : ZERO;
  return wrong;
}

/** The content, for a trace. */
export function nameOf({ kind, digest }: TransferContent): string {
  return `${kind} ${digest.slice(7, 15)}`;
}

function configBytes(random: Random): number {
  return random.next() < 1 / 8 ? 100 * KIB + random.below(100 * KIB) : KIB + random.below(8 * KIB);
}

function layerBytes(random: Random, sizes: LayerSizes): number {
  const isSmall = sizes === 'small' || (sizes === 'mixed' && random.next() < 1 / 5);
  if (isSmall) return 32 + random.below(VERIFIED_BYTES - 32);
  return 300 * KIB + random.below(random.next() < 1 / 4 ? 30 * MIB : 3 * MIB);
}
