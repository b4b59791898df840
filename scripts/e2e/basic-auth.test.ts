import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LabNode } from '../lab/lab-node.ts';
import { countMirrorRequests } from '../lab/mirror-counts.ts';
import { MIRROR_PORTS } from '../lab/mirror.ts';
import { runCommand } from '../lab/run-command.ts';
import { createImage, type TestImage } from '../lab/test-image.ts';
import { contentPath, tagPath } from '../lab/until-found.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { waitFor } from '../lab/wait-for.ts';
import { give } from './flag-row.ts';
import { useLab } from './test-lab.ts';

const folder = mkdtempSync(join(tmpdir(), 'spegel-auth-'));
/** A secret's folder, as the chart mounts it. */
function secret(username: string, password: string): string {
  const path = join(folder, password);
  mkdirSync(path);
  writeFileSync(join(path, 'username'), username);
  writeFileSync(join(path, 'password'), password);
  return path;
}
const RIGHT = secret('node', 'pass:wörd');
const WRONG = secret('node', 'other');
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
const AUTHORIZATION = basic('node:pass:wörd');

/** Nodes 1 and 2 are of one cluster; 3 has no secret and 4 another one. */
const lab = useLab({
  nodes: [RIGHT, RIGHT, undefined, WRONG].map((path) => ({
    mirrorArgs: path === undefined ? [] : ['--basic-auth-dir', path],
  })),
});
const image = createImage({ seed: 'auth', layers: [{ sizeBytes: 2e6 }] });

/** Runs configure where the secret is mounted at its place, in a copy of /etc that nobody else sees. */
async function configureWithSecret({ containerd, mirror }: LabNode, path: string): Promise<void> {
  const mounted = `mount -t tmpfs tmpfs "$1" && mkdir "$1/up" "$1/work" &&
    mount -t overlay -o lowerdir=/etc,upperdir="$1/up",workdir="$1/work" overlay /etc &&
    mkdir -p /etc/secrets && cp -r "$2" /etc/secrets/basic-auth && shift 2 && exec "$@"`;
  const scratch = join(folder, 'etc');
  mkdirSync(scratch, { recursive: true });
  const inside = ['unshare', '--mount', 'sh', '-c', mounted, 'sh', scratch, path];
  const flags = {
    'containerd-registry-config-path': containerd.paths.certsDir,
    'mirrored-registries': `http://${REGISTRY}`,
    'mirror-targets': `http://127.0.0.1:${MIRROR_PORTS.registry}`,
  };
  await runCommand([...inside, mirror.binary, 'configure', ...give(flags, 'flag').args]);
}

const hosts = async ({ containerd }: LabNode): Promise<string> =>
  readFile(join(containerd.paths.certsDir, REGISTRY, 'hosts.toml'), 'utf8');

async function untilFoundWith(n: number, authorization: string, wanted: TestImage): Promise<void> {
  for (const blob of wanted.blobs) {
    await waitFor(`${blob.digest} to be found through node ${n}`, async () => {
      const headers = { authorization };
      const path = contentPath('lab/auth', blob);
      return (await lab().node(n).mirror.fetch(path, { method: 'HEAD', headers })).ok;
    });
  }
}

beforeAll(async () => {
  const { node, upstream } = lab();
  for (const n of [1, 2]) await configureWithSecret(node(n), RIGHT);
  await configureWithSecret(node(4), WRONG);
  await upstream.push(image, 'lab/auth', 'v1');
  await node(1).pull(`${REGISTRY}/lab/auth:v1`);
  await untilFoundWith(2, AUTHORIZATION, image);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('configure gives containerd the credentials', async () => {
  expect(await hosts(lab().node(1))).toContain(AUTHORIZATION);
  expect(await hosts(lab().node(3))).not.toContain('Authorization');
});

describe.each([
  ['the node that has the image', 1],
  ['a node that asks it', 2],
])('%s', (_, n) => {
  const WITHOUT: readonly [string, Record<string, string>][] = [
    ['no credentials', {}],
    ['another password', { authorization: basic('node:other') }],
    ['half a password', { authorization: basic('node:pass') }],
    ['another scheme', { authorization: AUTHORIZATION.replace('Basic', 'Bearer') }],
    ['the word of another node', { 'X-Spegel-Mirrored': 'true' }],
  ];
  test.each(WITHOUT)('answers %s with 401 and asks for nothing', async (_, headers) => {
    const paths = ['/v2', '/v2/', '/v2/lab/none', tagPath('lab/auth', 'v1'), tagPath('lab/auth', 'none')];
    for (const path of [...paths, ...image.blobs.map((blob) => contentPath('lab/auth', blob))]) {
      for (const method of ['GET', 'HEAD']) {
        const response = await lab().node(n).mirror.fetch(path, { method, headers });
        expect({ path, method, status: response.status }).toEqual({ path, method, status: 401 });
        // containerd would answer that with the credentials of the image's own registry.
        expect(response.headers.get('WWW-Authenticate')).toBeNull();
        const text = await response.text();
        if (method === 'GET') expect(text).toContain('UNAUTHORIZED');
      }
    }
  });

  test('answers probes, which have no credentials', async () => {
    for (const path of ['/readyz', '/livez']) {
      expect((await lab().node(n).mirror.fetch(path)).status).toBe(200);
    }
  });

  test.each([AUTHORIZATION, AUTHORIZATION.replace('Basic', 'basic')])(
    'answers who has them (%s)',
    async (authorization) => {
      const { mirror } = lab().node(n);
      for (const path of ['/v2/', ...image.blobs.map((blob) => contentPath('lab/auth', blob))]) {
        expect((await mirror.fetch(path, { method: 'HEAD', headers: { authorization } })).status).toBe(200);
      }
    },
  );
});

test('a node pulls from another one with the credentials of both ends', async () => {
  const { node, upstream } = lab();
  await upstream.cut('refuse');
  try {
    const counted = await countMirrorRequests(node(2).mirror);
    await node(2).pull(`${REGISTRY}/lab/auth:v1`);
    await node(2).verify(image);
    expect(await counted()).toMatchObject({ misses: 0 });
  } finally {
    await upstream.restore();
  }
});

// In this order: what node 3 has, everybody gets.
test.each([
  ['with another secret', 4],
  ['without a secret', 3],
])('a node %s gets nothing from the others, and its pull goes to upstream', async (_, n) => {
  const { node, upstream } = lab();
  const counted = await countMirrorRequests(node(n).mirror);
  const asked = await upstream.count();
  await node(n).pull(`${REGISTRY}/lab/auth:v1`);
  await node(n).verify(image);
  expect((await counted()).hits).toBe(0);
  const blobs = (await asked.requests()).filter(({ kind }) => kind === 'blobs');
  expect(new Set(blobs.map(({ reference }) => reference)).size).toBe(2);
});

test('the log tells nobody the password', async () => {
  for (const { mirror } of lab().nodes) {
    const log = await mirror.log();
    expect(log).toContain('"level":"DEBUG"');
    expect(log).not.toContain('pass:w');
    expect(log).not.toContain(AUTHORIZATION.slice('Basic '.length));
  }
});
