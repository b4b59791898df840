import { describe, expect, test } from 'bun:test';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { REPOSITORY } from '../chart/render-chart.ts';
import { listDocuments } from './doc-blocks.ts';

/** An image called spegel at a host, without a scheme before it or with skopeo's: a.example:5000/b/spegel. */
const IMAGE =
  /(?:(?<=docker:\/\/)|(?<![\w./:@-]))(?<host>(?:[a-z0-9-]+\.)+[a-z]+)(?::\d+)?\/(?<path>(?:[a-z0-9._-]+\/)*spegel)\b(?![./-]\w)/g;

/**
 * What may be named although no such image of this program is published: names that nobody can register (RFC 2606), or only
 * Docker (its library, which ctr puts before an archive's name), and the image of Spegel itself, which is refused.
 */
function isHarmless(host: string, path: string): boolean {
  if (/\.(?:example|invalid)$/.test(host)) return true;
  if (/^(?:spegel-org|xenitab)\/spegel$/.test(path)) return true;
  return host === 'docker.io' && path === 'library/spegel';
}

const names = (text: string) =>
  Array.from(text.matchAll(IMAGE), ({ groups: { host = '', path = '' } = {} }) => ({ host, path }));

const files = [
  ...(await listDocuments()),
  ...['deploy', 'scripts/chart/testdata'].flatMap((folder) =>
    [...new Bun.Glob('**/*').scanSync({ cwd: join(REPOSITORY, folder) })].map((name) => join(folder, name)),
  ),
];

describe('the names of images', () => {
  test.each(files)('%s names none of spegel that a stranger could register', async (file) => {
    const found = names(await readFile(join(REPOSITORY, file), 'utf8'));
    expect(found.filter(({ host, path }) => !isHarmless(host, path))).toEqual([]);
  });

  test.each([
    ['image: "registry.example:5000/tools/spegel:0.1.0"', 'registry.example', true],
    ['image: image-of-yours.invalid/spegel@sha256:00', 'image-of-yours.invalid', true],
    ['docker://ghcr.io/a/spegel:0.1.0', 'ghcr.io', false],
    ['| `ghcr.io/a/spegel` |', 'ghcr.io', false],
    ['  repository: quay.io/spegel', 'quay.io', false],
    ['ghcr.io/spegel-org/spegel', 'ghcr.io', true],
    ['docker.io/someone/spegel', 'docker.io', false],
    ['https://github.com/a/spegel and deploy/charts/spegel and a.b/spegel.yaml', undefined, true],
  ])('in %j are found, and told apart', (text, host, harmless) => {
    const found = names(text);
    expect(found.map((name) => name.host)).toEqual(host === undefined ? [] : [host]);
    expect(found.every(({ host, path }) => isHarmless(host, path))).toBe(harmless);
  });
});
