import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ENGINE_SETTINGS } from '../../src/runtime/engine-settings.ts';
import { runCommand } from '../lab/run-command.ts';
import { createTar, type TarEntry } from '../lab/tar.ts';
import { type Architecture, baseFiles } from './base-files.ts';
import { formatSbom, type ImagePackage } from './sbom.ts';

const OCI = 'application/vnd.oci.image';
const MANIFEST = `${OCI}.manifest.v1+json`;
const INDEX = `${OCI}.index.v1+json`;
const EMPTY = 'application/vnd.oci.empty.v1+json';
const SPDX = 'application/spdx+json';
/** Makes the layers as small as gzip can; the same input always gives the same bytes. */
const GZIP_LEVEL = 9;

/** A blob of a layout. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** What the image of one processor is made of. */
export interface ImageInput {
  readonly architecture: Architecture;
  /** File of the compiled program. */
  readonly binary: string;
  /** Folder with the unpacked packages: the C library and the root certificates. */
  readonly root: string;
  /** What is in the image, for its SBOM. */
  readonly packages: readonly ImagePackage[];
}

/** What the images have in common. */
export interface ImageTexts {
  readonly version: string;
  readonly description: string;
  /** Git's name of the commit; empty if there is none. */
  readonly revision: string;
  /** In seconds since the epoch: of the commit, since the time of the build would change the digest. */
  readonly createdSeconds: number;
  /** Text of the licence, for /LICENSE. */
  readonly license: string;
}

/** What was made. */
export interface ImageLayout {
  /** Of the index over all processors: what a tag names. */
  readonly digest: string;
  readonly images: ReadonlyArray<Descriptor & { readonly architecture: Architecture; readonly sbom: string }>;
}

/**
 * Writes an OCI image layout (image-spec v1.1) into a folder that does not exist yet: one index over the images, and
 * an SBOM for each as an artifact whose subject is the image. Equal input gives equal files.
 */
export async function writeImageLayout(
  layout: string,
  inputs: readonly ImageInput[],
  texts: ImageTexts,
): Promise<ImageLayout> {
  const { version } = texts;
  const created = new Date(texts.createdSeconds * 1000).toISOString().replace('.000Z', 'Z');
  const annotations = {
    'org.opencontainers.image.title': 'spegel',
    'org.opencontainers.image.description': texts.description,
    'org.opencontainers.image.version': version,
    'org.opencontainers.image.revision': texts.revision,
    'org.opencontainers.image.created': created,
    'org.opencontainers.image.licenses': 'Apache-2.0',
  };
  await mkdir(join(layout, 'blobs/sha256'), { recursive: true });
  const blob = async (mediaType: string, content: Uint8Array): Promise<Descriptor> => {
    const digest = digestOf(content);
    await writeFile(join(layout, 'blobs', ...digest.split(':')), content);
    return { mediaType, digest, size: content.length };
  };
  const json = async (mediaType: string, value: object) =>
    blob(mediaType, new TextEncoder().encode(JSON.stringify(value)));

  const makeImage = async ({ architecture, binary, root }: ImageInput): Promise<Descriptor> => {
    const program: TarEntry = { name: 'spegel', content: await readFile(binary), mode: 0o755 };
    const license = { name: 'LICENSE', content: new TextEncoder().encode(texts.license) };
    const layers = [createTar(await baseFiles(root, architecture)), createTar([license, program])];
    const config = await json(`${OCI}.config.v1+json`, {
      created,
      architecture,
      os: 'linux',
      config: {
        // containerd's socket and its content belong to root.
        User: '0:0',
        Env: [
          'PATH=/',
          'SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt',
          ...Object.entries(ENGINE_SETTINGS).map(([name, value]) => `${name}=${value}`),
        ],
        Entrypoint: ['/spegel'],
        WorkingDir: '/',
        Labels: annotations,
      },
      rootfs: { type: 'layers', diff_ids: layers.map((tar) => digestOf(tar)) },
      history: [
        { created, created_by: "the C library and root certificates of Debian's packages" },
        { created, created_by: 'scripts/build --all' },
      ],
    });
    const compressed: Descriptor[] = [];
    for (const tar of layers) {
      compressed.push(await blob(`${OCI}.layer.v1.tar+gzip`, Bun.gzipSync(tar, { level: GZIP_LEVEL })));
    }
    return json(MANIFEST, { schemaVersion: 2, mediaType: MANIFEST, config, layers: compressed, annotations });
  };

  const images: Array<ImageLayout['images'][number]> = [];
  const manifests: object[] = [];
  const artifacts: object[] = [];
  for (const input of inputs) {
    const { architecture, packages } = input;
    const image = await makeImage(input);
    manifests.push({ ...image, platform: { architecture, os: 'linux' } });
    const sbom = formatSbom({ name: 'spegel', version, created, digest: image.digest, packages });
    const artifact = await json(MANIFEST, {
      schemaVersion: 2,
      mediaType: MANIFEST,
      artifactType: SPDX,
      config: await blob(EMPTY, new TextEncoder().encode('{}')),
      layers: [await blob(SPDX, new TextEncoder().encode(sbom))],
      subject: image,
      annotations: { 'org.opencontainers.image.created': created },
    });
    artifacts.push({ ...artifact, artifactType: SPDX });
    images.push({ ...image, architecture, sbom });
  }
  const index = await json(INDEX, { schemaVersion: 2, mediaType: INDEX, manifests, annotations });
  const named = {
    ...index,
    annotations: {
      // The name that `ctr images import` gives it.
      'io.containerd.image.name': imageName(version),
      'org.opencontainers.image.ref.name': version,
    },
  };
  const top = { schemaVersion: 2, mediaType: INDEX, manifests: [named, ...artifacts] };
  await writeFile(join(layout, 'index.json'), JSON.stringify(top));
  await writeFile(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  return { digest: index.digest, images };
}

/** The name under which containerd imports an image of this version. */
export function imageName(version: string): string {
  return `docker.io/library/spegel:${version}`;
}

/** Writes the layout as one tar archive, as `ctr images import` and skopeo's `oci-archive:` read it. */
export async function archiveLayout(layout: string, archive: string, createdSeconds: number): Promise<void> {
  const tar = 'tar --create --sort=name --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw --format=ustar';
  await runCommand([
    ...tar.split(' '),
    `--mtime=@${createdSeconds}`,
    '--file',
    archive,
    '--directory',
    layout,
    'blobs',
    'index.json',
    'oci-layout',
  ]);
}

function digestOf(content: Uint8Array): string {
  return `sha256:${new Bun.CryptoHasher('sha256').update(content).digest('hex')}`;
}
