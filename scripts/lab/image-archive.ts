import { createTar } from './tar.ts';
import type { TestImage } from './test-image.ts';

/** Writes an image as an OCI layout in a tar archive, as `ctr images import` takes it (OCI image spec, "Image Layout"). */
export async function writeImageArchive(image: TestImage, reference: string, path: string): Promise<void> {
  const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const { root } = image;
  const index = {
    schemaVersion: 2,
    manifests: [
      {
        mediaType: root.mediaType,
        digest: root.digest,
        size: root.sizeBytes,
        annotations: { 'io.containerd.image.name': reference },
      },
    ],
  };
  await Bun.write(
    path,
    createTar([
      { name: 'oci-layout', content: text({ imageLayoutVersion: '1.0.0' }) },
      { name: 'index.json', content: text(index) },
      ...image.blobs.map(({ digest, content }) => ({
        name: `blobs/${digest.replace(':', '/')}`,
        content: content(),
      })),
    ]),
  );
}
