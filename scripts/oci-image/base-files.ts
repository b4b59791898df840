import { readdir, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { TarEntry } from '../lab/tar.ts';

/** What the runtime links to (its NEEDED entries), and what the C library loads to look names up. */
export const LIBRARIES =
  /^(?:ld-linux-.*|libc|libm|libpthread|libdl|libresolv|libnss_(?:dns|files))\.so\.\d+$/;

/** Processors of the images, by OCI's name: where glibc keeps its libraries, and where binaries look for the loader. */
export const ARCHITECTURES = {
  amd64: { binary: 'x64', libraries: 'x86_64-linux-gnu', loader: 'lib64/ld-linux-x86-64.so.2' },
  arm64: { binary: 'arm64', libraries: 'aarch64-linux-gnu', loader: 'lib/ld-linux-aarch64.so.1' },
} as const;

/** A processor by OCI's name. */
export type Architecture = keyof typeof ARCHITECTURES;

const NO_CONTENT = new Uint8Array();
const folder = (name: string, mode = 0o755): TarEntry => ({ name, content: NO_CONTENT, mode });
const text = (name: string, content: string): TarEntry => ({
  name,
  content: new TextEncoder().encode(content),
});

/** The files below the binary: the C library, root certificates, and what a name look-up needs. `root` has the unpacked packages. */
export async function baseFiles(root: string, architecture: Architecture): Promise<readonly TarEntry[]> {
  const { libraries, loader } = ARCHITECTURES[architecture];
  const directory = join(root, 'lib', libraries);
  const names = (await readdir(directory)).filter((name) => LIBRARIES.test(name)).sort();
  const files: TarEntry[] = [];
  for (const name of names) {
    // Through links: the image has the file under the name that is asked for.
    const content = await readFile(await realpath(join(directory, name)));
    files.push({ name: `lib/${libraries}/${name}`, content, mode: 0o755 });
  }
  const loaderName = loader.slice(loader.lastIndexOf('/') + 1);
  return [
    ...[
      'etc/',
      'etc/ssl/',
      'etc/ssl/certs/',
      'lib/',
      'lib64/',
      `lib/${libraries}/`,
      'usr/',
      'usr/share/',
      'usr/share/doc/',
      'usr/share/doc/libc6/',
      'var/',
      'var/lib/',
    ].map((name) => folder(name)),
    folder('tmp/', 0o1777),
    ...files,
    { name: loader, content: NO_CONTENT, mode: 0o777, linkTo: `/lib/${libraries}/${loaderName}` },
    text('etc/passwd', 'root:x:0:0:root:/:/spegel\nnobody:x:65534:65534:nobody:/:/spegel\n'),
    text('etc/group', 'root:x:0:\nnogroup:x:65534:\n'),
    text('etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n'),
    text('etc/ssl/certs/ca-certificates.crt', await certificates(root)),
    {
      name: 'usr/share/doc/libc6/copyright',
      content: await readFile(join(root, 'usr/share/doc/libc6/copyright')),
    },
  ];
}

/** All root certificates in one file, as update-ca-certificates makes it. */
async function certificates(root: string): Promise<string> {
  const directory = join(root, 'usr/share/ca-certificates/mozilla');
  const names = (await readdir(directory)).filter((name) => name.endsWith('.crt')).sort();
  const texts = await Promise.all(names.map(async (name) => readFile(join(directory, name), 'utf8')));
  return texts.map((pem) => `${pem.trim()}\n`).join('');
}
