import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'bun:test';
import { MIRROR_PORTS } from '../lab/mirror.ts';
import { type CommandResult, tryCommand } from '../lab/run-command.ts';
import { createImage, createIndex, type TestImage } from '../lab/test-image.ts';
import { untilFound } from '../lab/until-found.ts';
import { REGISTRY, UPSTREAM_HOST } from '../lab/upstream.ts';
import { waitFor } from '../lab/wait-for.ts';
import { useLab } from './test-lab.ts';

/** skopeo sends no `ns`. Node 1 has the images; nodes 2 and 3 have not, and node 3 mirrors one registry only. */
const lab = useLab({ nodes: [{}, {}, { mirrorArgs: ['--mirrored-registries', `http://${REGISTRY}`] }] });

const layers = [{ sizeBytes: 200_000 }, { sizeBytes: 3_000_000 }];
/** Of the registry with a port; a colon cannot stand in a path of Docker's references. */
const withPort = createImage({ seed: 'port', layers });
const withoutPort = createIndex({
  'linux/amd64': createImage({ seed: 'plain', layers, platform: 'linux/amd64' }),
  'linux/arm64': createImage({ seed: 'plain', layers, platform: 'linux/arm64' }),
});
/** The same name in both registries. */
const twice = createImage({ seed: 'twice', layers: [{ sizeBytes: 1000 }] });

beforeAll(async () => {
  const { node } = lab();
  await node(1).importImage(withPort, `${REGISTRY}/lab/a:v1`);
  await node(1).importImage(withoutPort, `${UPSTREAM_HOST}/lab/b:v1`);
  await node(1).importImage(twice, `${REGISTRY}/lab/twice:v1`);
  await node(1).importImage(twice, `${UPSTREAM_HOST}/lab/twice:v1`);
  for (const n of [2, 3]) {
    await untilFound(node(n), withPort, 'lab/a', 'v1');
    await untilFound(node(n), withoutPort, 'lab/b');
    await untilFound(node(n), twice, 'lab/twice', 'v1');
  }
  await waitFor('the tag', async () => {
    const path = `/v2/lab/b/manifests/v1?ns=${UPSTREAM_HOST}`;
    return (await node(2).mirror.fetch(path, { method: 'HEAD' })).ok;
  });
});

/** Copies an image from a node to a folder and checks that each blob is there with its digest. */
async function copy(n: number, name: string, image: TestImage): Promise<CommandResult> {
  const folder = await mkdtemp(join(tmpdir(), 'spegel-skopeo-'));
  try {
    const source = `docker://${lab().node(n).endpoint.ipv4}:${MIRROR_PORTS.registry}/${name}`;
    const result = await tryCommand([
      ...lab().hub.enter,
      'skopeo',
      'copy',
      '--insecure-policy',
      '--src-tls-verify=false',
      '--all',
      source,
      `dir:${folder}`,
    ]);
    if (result.exitCode !== 0) return result;
    for (const { digest, kind } of image.blobs) {
      const hex = digest.slice('sha256:'.length);
      const file =
        digest === image.root.digest ? 'manifest.json' : kind === 'manifest' ? `${hex}.manifest.json` : hex;
      const bytes = await readFile(join(folder, file));
      expect(new Bun.CryptoHasher('sha256').update(bytes).digest('hex')).toBe(hex);
    }
    return result;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const digestName = ({ root }: TestImage, repository: string) => `${repository}@${root.digest}`;
const FOUND: readonly [string, number, string, TestImage][] = [
  ['by digest, from the node that has it', 1, digestName(withPort, 'lab/a'), withPort],
  ['by digest, from one that has not', 2, digestName(withPort, 'lab/a'), withPort],
  ['an index by digest, from one that has not', 2, digestName(withoutPort, 'lab/b'), withoutPort],
  ['by digest under the registry, from one that has not', 2, digestName(withPort, 'other.lab/x'), withPort],
  ['by tag under the registry, from the node that has it', 1, `${UPSTREAM_HOST}/lab/b:v1`, withoutPort],
  ['by tag under the registry, from one that has not', 2, `${UPSTREAM_HOST}/lab/b:v1`, withoutPort],
  ['by tag that one registry has here', 1, 'lab/a:v1', withPort],
  ['by tag where one registry is mirrored', 3, 'lab/a:v1', withPort],
];
test.each(FOUND)('skopeo copies an image %s', async (_, n, name, image) => {
  expect(await copy(n, name, image)).toMatchObject({ exitCode: 0 });
});

const UNKNOWN: readonly [string, number, string, RegExp][] = [
  ['that two registries have here', 1, 'lab/twice:v1', /registry\.lab, registry\.lab:5000 have it.*\?ns=/],
  ['that is not here, of any registry', 2, 'lab/a:v1', /Which registry is lab\/a:v1 of\?.*\?ns=/],
];
test.each(UNKNOWN)('skopeo is told what is missing for a tag %s', async (_, n, name, message) => {
  const { exitCode, stderr } = await copy(n, name, twice);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(message);
});

test('skopeo lists nothing: the mirror has no catalogue', async () => {
  const source = `docker://${lab().node(1).endpoint.ipv4}:${MIRROR_PORTS.registry}/lab/a`;
  const argv = [...lab().hub.enter, 'skopeo', 'list-tags', '--tls-verify=false', source];
  expect((await tryCommand(argv)).exitCode).toBe(1);
  expect(lab().node(1).mirror.running).toBe(true);
});
