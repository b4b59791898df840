import { expect, setDefaultTimeout, test } from 'bun:test';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BINARY } from '../lab/binary.ts';
import { runCommand } from '../lab/run-command.ts';
import { ARCHITECTURES, type Architecture } from '../oci-image/base-files.ts';
import { imagePackages, readImageTexts } from '../oci-image/image-facts.ts';
import { archiveLayout, type ImageInput, writeImageLayout } from '../oci-image/image-layout.ts';

/** Four times a program of 120 MB through gzip, on a machine that does something else besides. */
setDefaultTimeout(300_000);

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly artifactType?: string;
  readonly platform?: { readonly architecture: string; readonly os: string };
}

/** What of a manifest, index or config is looked at. */
interface Document {
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly manifests: readonly Descriptor[];
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
}

interface Config {
  readonly architecture: string;
  readonly os: string;
  readonly config: {
    readonly User: string;
    readonly Env: readonly string[];
    readonly Entrypoint: readonly string[];
    readonly Labels: Readonly<Record<string, string>>;
  };
  readonly rootfs: { readonly diff_ids: readonly string[] };
}

const sha256 = (bytes: Uint8Array) => `sha256:${new Bun.CryptoHasher('sha256').update(bytes).digest('hex')}`;

/** A folder like that of unpacked Debian packages, with files that only say what they are. */
async function fakePackages(root: string, architecture: Architecture): Promise<void> {
  const { libraries, loader } = ARCHITECTURES[architecture];
  const files = [
    `lib/${libraries}/libc.so.6`,
    `lib/${libraries}/${loader.slice(loader.lastIndexOf('/') + 1)}`,
    `lib/${libraries}/libnothing.so.1`,
    'usr/share/ca-certificates/mozilla/A.crt',
    'usr/share/doc/libc6/copyright',
  ];
  for (const file of files) {
    const path = join(root, file);
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, `${architecture} ${file}`);
  }
}

test('the image of the compiled program built twice is the same to the last byte, and a valid layout', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'spegel-image-'));
  try {
    const inputs: ImageInput[] = [];
    for (const architecture of ['amd64', 'arm64'] as const) {
      const root = join(folder, architecture);
      await fakePackages(root, architecture);
      const packages = await imagePackages(architecture, 'libc6 2.36-9\nca-certificates 20230311\n');
      inputs.push({ architecture, binary: BINARY, root, packages });
    }
    const texts = await readImageTexts();
    const [first, second] = [join(folder, 'first'), join(folder, 'second')] as const;
    const made = await writeImageLayout(first, inputs, texts);
    const again = await writeImageLayout(second, inputs, texts);
    expect(again).toEqual(made);
    await archiveLayout(first, `${first}.tar`, texts.createdSeconds);
    await archiveLayout(second, `${second}.tar`, texts.createdSeconds);
    await runCommand(['cmp', `${first}.tar`, `${second}.tar`]);
    // As docs/IMAGE.md has it, to a folder instead of a registry.
    const copy = join(folder, 'copy');
    const archive = `oci-archive:${first}.tar:${texts.version}`;
    await runCommand(['skopeo', '--insecure-policy', 'copy', '--all', '--quiet', archive, `dir:${copy}`]);
    expect(sha256(await readFile(join(copy, 'manifest.json')))).toBe(made.digest);

    /** Reads a blob that a descriptor names, as a client that trusts nothing does. */
    const blob = async ({ digest, size }: Descriptor): Promise<Buffer> => {
      const bytes = await readFile(join(first, 'blobs', ...digest.split(':')));
      expect({ digest: sha256(bytes), size: bytes.length }).toEqual({ digest, size });
      return bytes;
    };
    const document = async (descriptor: Descriptor): Promise<Document> => {
      const found = JSON.parse((await blob(descriptor)).toString()) as Document;
      expect(found.mediaType).toBe(descriptor.mediaType);
      return found;
    };
    expect(JSON.parse(await readFile(join(first, 'oci-layout'), 'utf8'))).toEqual({
      imageLayoutVersion: '1.0.0',
    });
    const top = JSON.parse(await readFile(join(first, 'index.json'), 'utf8')) as Document;
    const [named, ...artifacts] = top.manifests;
    expect(named?.digest).toBe(made.digest);
    if (named === undefined) throw new Error('index.json is empty');
    const index = await document(named);
    expect(index.manifests.map(({ platform }) => platform)).toEqual([
      { architecture: 'amd64', os: 'linux' },
      { architecture: 'arm64', os: 'linux' },
    ]);

    for (const descriptor of index.manifests) {
      const manifest = await document(descriptor);
      const config = JSON.parse((await blob(manifest.config)).toString()) as Config;
      expect({ architecture: config.architecture, os: config.os }).toEqual({
        architecture: descriptor.platform?.architecture ?? '',
        os: 'linux',
      });
      expect(config.config).toMatchObject({ User: '0:0', Entrypoint: ['/spegel'] });
      expect(config.config.Env).toContain('MIMALLOC_PURGE_HOLES_MIN_INTERVAL=5000');
      expect(config.config.Labels).toMatchObject({
        'org.opencontainers.image.title': 'spegel',
        'org.opencontainers.image.version': texts.version,
        'org.opencontainers.image.revision': texts.revision,
        'org.opencontainers.image.licenses': 'Apache-2.0',
      });
      const layers = await Promise.all(manifest.layers.map(blob));
      const contents = layers.map((layer) => Bun.gunzipSync(new Uint8Array(layer)));
      expect(config.rootfs.diff_ids).toEqual(contents.map(sha256));
      // Nothing is writable by others than root, the program can be run, and only what it needs is there.
      const [base = '', program = ''] = await Promise.all(contents.map(listArchive));
      expect(program).toMatch(/^-rwxr-xr-x 0\/0 .* spegel$/m);
      expect(base).toContain('libc.so.6');
      expect(base).not.toContain('libnothing');
      const writable = `${base}\n${program}`.split('\n').filter((line) => /^[^l].{7}w/.test(line));
      expect(writable.map((line) => line.split(' ').at(-1))).toEqual(['tmp/']);
    }

    const sboms = await Promise.all(artifacts.map(document));
    expect(sboms.map(({ subject }) => subject?.digest)).toEqual(index.manifests.map(({ digest }) => digest));
    for (const { artifactType, layers } of sboms) {
      const [sbom] = await Promise.all(layers.map(blob));
      expect(artifactType).toBe('application/spdx+json');
      const names = (JSON.parse(String(sbom)) as { packages: { name: string }[] }).packages.map(
        ({ name }) => name,
      );
      for (const name of ['bun', 'libc6', 'ca-certificates', 'libp2p', 'hono']) expect(names).toContain(name);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('the program has no path of the folder that it was built in, so that the digest is the same on any machine', async () => {
  const program = await readFile(BINARY);
  expect(program.indexOf('/node_modules/@grpc/')).toBe(-1);
});

/** Lists a tar archive with modes and owners. */
async function listArchive(archive: Uint8Array): Promise<string> {
  const tar = Bun.spawn(['tar', '--list', '--verbose', '--numeric-owner'], {
    stdin: new Blob([new Uint8Array(archive)]),
    stdout: 'pipe',
  });
  return new Response(tar.stdout).text();
}
