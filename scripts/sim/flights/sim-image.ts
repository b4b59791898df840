import { type Digest, digestOf } from '../../../src/oci/digest.ts';

/** A manifest, config or layer. */
export interface SimContent {
  readonly kind: 'manifest' | 'blob';
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** Undefined for a layer: its bytes are not looked at. */
  readonly bytes: Uint8Array | undefined;
}

/** An image of one platform. */
export interface SimImage {
  readonly repository: string;
  readonly manifest: SimContent;
  /** Config and layers. */
  readonly contents: readonly SimContent[];
  /** Of all of it. */
  readonly sizeBytes: number;
}

const MEDIA_TYPE = 'application/vnd.oci.image.manifest.v1+json';

/** Makes an image with layers of these names and sizes; two images can have the same ones. */
export function createSimImage(
  repository: string,
  layers: readonly { readonly name: string; readonly sizeBytes: number }[],
): SimImage {
  const whole = (kind: SimContent['kind'], text: string): SimContent => {
    const bytes = Buffer.from(text);
    return { kind, digest: digestOf(bytes), sizeBytes: bytes.length, bytes };
  };
  const config = whole('blob', JSON.stringify({ repository, history: 'x'.repeat(3000) }));
  const blobs: SimContent[] = layers.map(({ name, sizeBytes }) => ({
    kind: 'blob',
    digest: digestOf(Buffer.from(name)),
    sizeBytes,
    bytes: undefined,
  }));
  const describe = ({ digest, sizeBytes }: SimContent, mediaType: string) => ({
    mediaType,
    digest,
    size: sizeBytes,
  });
  const manifest = whole(
    'manifest',
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE,
      config: describe(config, 'application/vnd.oci.image.config.v1+json'),
      layers: blobs.map((blob) => describe(blob, 'application/vnd.oci.image.layer.v1.tar')),
    }),
  );
  const contents = [config, ...blobs];
  const sizeBytes = [manifest, ...contents].reduce((sum, content) => sum + content.sizeBytes, 0);
  return { repository, manifest, contents, sizeBytes };
}
