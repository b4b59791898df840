import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../lab/run-command.ts';
import type { Architecture } from './base-files.ts';
import type { ImageTexts } from './image-layout.ts';
import { type ImagePackage, lockedPackages } from './sbom.ts';

const ROOT = join(import.meta.dir, '../..');

/** Reads what images of this checkout have in common. SOURCE_DATE_EPOCH stands in for the commit's time. */
export async function readImageTexts(): Promise<ImageTexts> {
  const { version, description } = (await Bun.file(join(ROOT, 'package.json')).json()) as {
    readonly version: string;
    readonly description: string;
  };
  return {
    version,
    description,
    revision: await git('rev-parse', 'HEAD'),
    createdSeconds: Number(
      process.env['SOURCE_DATE_EPOCH'] ?? ((await git('log', '-1', '--format=%ct')) || 0),
    ),
    license: await readFile(join(ROOT, 'LICENSE'), 'utf8'),
  };
}

/** What an image is made of: the runtime, Debian's packages (lines of name and version) and what bun.lock names. */
export async function imagePackages(
  architecture: Architecture,
  debianPackages: string,
): Promise<readonly ImagePackage[]> {
  const runtime: ImagePackage = {
    name: 'bun',
    version: Bun.version,
    purl: `pkg:generic/bun@${Bun.version}`,
    license: 'MIT',
    sha512: undefined,
  };
  const lines = debianPackages.trim().split('\n').sort();
  const debian = lines.map((line): ImagePackage => {
    const [name = '', version = ''] = line.split(' ');
    const purl = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${architecture}`;
    return { name, version, purl, license: undefined, sha512: undefined };
  });
  return [runtime, ...debian, ...(await lockedPackages(ROOT))];
}

/** Empty without a git checkout. */
async function git(...args: readonly string[]): Promise<string> {
  const command = ['git', '-c', `safe.directory=${ROOT}`, '-C', ROOT, ...args];
  return runCommand(command).then(
    (text) => text.trim(),
    () => '',
  );
}
