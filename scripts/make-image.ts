import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from './lab/run-command.ts';
import { createTar, type TarEntry } from './lab/tar.ts';
import { ARCHITECTURES, type Architecture, baseFiles } from './oci-image/base-files.ts';
import { formatSbom, type ImagePackage, lockedPackages } from './oci-image/sbom.ts';

const OCI = 'application/vnd.oci.image';
const MANIFEST = `${OCI}.manifest.v1+json`;
const INDEX = `${OCI}.index.v1+json`;
const EMPTY = 'application/vnd.oci.empty.v1+json';
const SPDX = 'application/spdx+json';

/** A blob of the layout. */
interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const root = join(import.meta.dir, '..');
const work = process.argv[2];
if (work === undefined) throw new Error('Usage: bun make-image.ts <folder with the unpacked packages>');
const layout = join(work, 'layout');
await mkdir(join(layout, 'blobs/sha256'), { recursive: true });

const { version, description } = (await Bun.file(join(root, 'package.json')).json()) as {
  readonly version: string;
  readonly description: string;
};
const revision = await git('rev-parse', 'HEAD');
const seconds = Number(process.env['SOURCE_DATE_EPOCH'] ?? ((await git('log', '-1', '--format=%ct')) || 0));
const created = new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
const annotations = {
  'org.opencontainers.image.title': 'spegel',
  'org.opencontainers.image.description': description,
  'org.opencontainers.image.version': version,
  'org.opencontainers.image.revision': revision,
  'org.opencontainers.image.created': created,
  'org.opencontainers.image.licenses': 'Apache-2.0',
};
const locked = await lockedPackages(root);
const runtime: ImagePackage = {
  name: 'bun',
  version: Bun.version,
  purl: `pkg:generic/bun@${Bun.version}`,
  license: 'MIT',
  sha512: undefined,
};

const images: object[] = [];
const sboms: object[] = [];
for (const architecture of Object.keys(ARCHITECTURES) as Architecture[]) {
  const image = await makeImage(architecture, work);
  const platform = { architecture, os: 'linux' };
  images.push({ ...image, platform });
  const packages = [runtime, ...(await debianPackages(architecture, work)), ...locked];
  const text = formatSbom({ name: 'spegel', version, created, digest: image.digest, packages });
  await writeFile(join(root, `dist/spegel-linux-${architecture}.spdx.json`), text);
  const sbom = await json(MANIFEST, {
    schemaVersion: 2,
    mediaType: MANIFEST,
    artifactType: SPDX,
    config: await blob(EMPTY, new TextEncoder().encode('{}')),
    layers: [await blob(SPDX, new TextEncoder().encode(text))],
    subject: image,
    annotations: { 'org.opencontainers.image.created': created },
  });
  sboms.push({ ...sbom, artifactType: SPDX });
  console.log(`linux/${architecture}: ${image.digest}, ${packages.length} packages in its SBOM`);
}
const index = await json(INDEX, { schemaVersion: 2, mediaType: INDEX, manifests: images, annotations });
const named = {
  ...index,
  annotations: {
    'io.containerd.image.name': `docker.io/library/spegel:${version}`,
    'org.opencontainers.image.ref.name': version,
  },
};
await writeFile(
  join(layout, 'index.json'),
  JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [named, ...sboms] }),
);
await writeFile(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');

const archive = join(root, 'dist/spegel-image.tar');
const tar = 'tar --create --sort=name --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw --format=ustar';
await runCommand([
  ...tar.split(' '),
  `--mtime=@${seconds}`,
  '--file',
  `${archive}.new`,
  '--directory',
  layout,
  'blobs',
  'index.json',
  'oci-layout',
]);
await rename(`${archive}.new`, archive);
await rm(join(root, 'dist/image'), { recursive: true, force: true });
await rename(layout, join(root, 'dist/image'));
console.log(`spegel ${version}: ${index.digest} in dist/image and dist/spegel-image.tar`);

async function makeImage(architecture: Architecture, work: string): Promise<Descriptor> {
  const base = createTar(await baseFiles(join(work, architecture), architecture));
  const binary: TarEntry = {
    name: 'spegel',
    content: await readFile(join(root, `dist/spegel-linux-${ARCHITECTURES[architecture].binary}`)),
    mode: 0o755,
  };
  const license = { name: 'LICENSE', content: await readFile(join(root, 'LICENSE')) };
  const layers = [base, createTar([license, binary])];
  const config = await json(`${OCI}.config.v1+json`, {
    created,
    architecture,
    os: 'linux',
    config: {
      // containerd's socket and its content belong to root.
      User: '0:0',
      Env: ['PATH=/', 'SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt'],
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
    compressed.push(await blob(`${OCI}.layer.v1.tar+gzip`, Bun.gzipSync(tar, { level: 9 })));
  }
  return json(MANIFEST, { schemaVersion: 2, mediaType: MANIFEST, config, layers: compressed, annotations });
}

async function debianPackages(architecture: Architecture, work: string): Promise<readonly ImagePackage[]> {
  const lines = (await readFile(join(work, `${architecture}.packages`), 'utf8')).trim().split('\n').sort();
  return lines.map((line) => {
    const [name = '', version = ''] = line.split(' ');
    const purl = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${architecture}`;
    return { name, version, purl, license: undefined, sha512: undefined };
  });
}

async function json(mediaType: string, value: object): Promise<Descriptor> {
  return blob(mediaType, new TextEncoder().encode(JSON.stringify(value)));
}

async function blob(mediaType: string, content: Uint8Array): Promise<Descriptor> {
  const digest = digestOf(content);
  await writeFile(join(layout, 'blobs', ...digest.split(':')), content);
  return { mediaType, digest, size: content.length };
}

function digestOf(content: Uint8Array): string {
  return `sha256:${new Bun.CryptoHasher('sha256').update(content).digest('hex')}`;
}

/** Empty without a git checkout. */
async function git(...args: readonly string[]): Promise<string> {
  const command = ['git', '-c', `safe.directory=${root}`, '-C', root, ...args];
  return runCommand(command).then(
    (text) => text.trim(),
    () => '',
  );
}
