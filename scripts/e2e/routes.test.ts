import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BINARY } from '../lab/binary.ts';
import { MIRROR_PORTS } from '../lab/mirror.ts';
import { type RawAnswer, type RawRequest, sendRaw } from '../lab/send-raw.ts';
import { createImage } from '../lab/test-image.ts';
import { contentPath, tagPath } from '../lab/until-found.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { waitFor } from '../lab/wait-for.ts';
import { useLab } from './test-lab.ts';

const folder = mkdtempSync(join(tmpdir(), 'spegel-routes-'));
writeFileSync(join(folder, 'username'), 'a');
writeFileSync(join(folder, 'password'), 'b');
mkdirSync(join(folder, 'certs.d'));

/** Node 1 needs basic auth, node 2 nothing; on both runs the listener of `cleanup`, too. */
const lab = useLab({ nodes: [{ mirrorArgs: ['--basic-auth-dir', folder] }, {}] });
const image = createImage({ seed: 'routes', layers: [{ sizeBytes: 1000 }] });
const manifest = `/v2/lab/routes/manifests/${image.root.digest}?ns=${REGISTRY}`;
const absent = `sha256:${'0'.repeat(64)}`;
const ports = { ...MIRROR_PORTS, cleanup: 8081 };
const cleanups: Bun.Subprocess[] = [];

beforeAll(async () => {
  for (const node of lab().nodes) {
    await node.importImage(image, `${REGISTRY}/lab/routes:v1`);
    const args = [
      'cleanup',
      '--addr',
      `:${ports.cleanup}`,
      '--containerd-registry-config-path',
      join(folder, 'certs.d'),
    ];
    cleanups.push(Bun.spawn([...node.endpoint.namespace.enter, BINARY, ...args], { stderr: 'ignore' }));
  }
  await waitFor('the image', async () => (await lab().node(2).mirror.fetch(manifest)).ok);
  for (const n of [1, 2]) {
    await waitFor('cleanup', async () => (await ask(n, 'cleanup', ['GET', '/readyz']))[0] === 200);
  }
});
afterAll(async () => {
  for (const child of cleanups) {
    child.kill('SIGTERM');
    await child.exited;
  }
  rmSync(folder, { recursive: true, force: true });
});

const send = async (n: number, port: number, texts: readonly string[], options: Partial<RawRequest> = {}) =>
  sendRaw(
    lab().hub,
    texts.map((text) => ({ host: lab().node(n).endpoint.ipv4, port, text, ...options })),
  );
const get = (target: string, headers = '') => `GET ${target} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;
const CLOSE = 'Connection: close\r\n';

/** Statuses of requests that are sent one per connection. */
async function ask(
  n: number,
  listener: keyof typeof ports,
  ...requests: readonly (readonly [method: string, target: string])[]
): Promise<(number | undefined)[]> {
  const texts = requests.map(([method, target]) => `${method} ${target} HTTP/1.1\r\nHost: x\r\n${CLOSE}\r\n`);
  return (await send(n, ports[listener], texts)).map(({ statuses }) => statuses[0]);
}

/** What a stranger gets from a node that needs basic auth, and from one that does not. */
const ROUTES: readonly [keyof typeof ports, string, string, withAuth: number, withoutAuth: number][] = [
  ['registry', 'GET', '/v2', 401, 200],
  ['registry', 'GET', '/v2/', 401, 200],
  ['registry', 'HEAD', '/v2/', 401, 200],
  ['registry', 'GET', manifest, 401, 200],
  ['registry', 'GET', tagPath('lab/routes', 'v1'), 401, 200],
  ['registry', 'GET', contentPath('lab/routes', image.blobs[0] ?? image.root), 401, 200],
  ['registry', 'GET', `/v2/lab/routes/blobs/${absent}`, 401, 404],
  ['registry', 'GET', '/v2/_catalog', 401, 404],
  ['registry', 'GET', '/v2/lab/routes/tags/list', 401, 404],
  ['registry', 'GET', `/v2/lab/routes/referrers/${absent}`, 401, 404],
  ['registry', 'POST', '/v2/lab/routes/blobs/uploads/', 405, 405],
  ['registry', 'PUT', manifest, 405, 405],
  ['registry', 'PATCH', '/v2/', 405, 405],
  ['registry', 'DELETE', manifest, 405, 405],
  ['registry', 'OPTIONS', '/v2/', 405, 405],
  ['registry', 'TRACE', '/v2/', 405, 405],
  // An encoded letter is the letter (RFC 3986, 6.2.2.2), for the check of credentials, too.
  ['registry', 'GET', '/%762/', 401, 200],
  ['registry', 'GET', manifest.replace('v2', '%762'), 401, 200],
  ['registry', 'GET', '/v2%2f', 401, 200],
  ['registry', 'GET', manifest.replace('lab/routes', 'lab%2Froutes'), 401, 200],
  ['registry', 'GET', '/%72eadyz', 200, 200],
  ['registry', 'GET', '/readyz', 200, 200],
  ['registry', 'GET', '/livez', 200, 200],
  ['registry', 'GET', '/', 404, 404],
  ['registry', 'GET', '/metrics', 404, 404],
  ['registry', 'GET', '/debug/web/', 404, 404],
  ['registry', 'GET', '/id', 404, 404],
  ['metrics', 'GET', '/metrics', 200, 200],
  ['metrics', 'POST', '/metrics', 404, 404],
  ['metrics', 'GET', '/debug/web', 308, 308],
  ['metrics', 'GET', '/debug/web/', 200, 200],
  ['metrics', 'GET', '/debug/peers', 200, 200],
  ['metrics', 'GET', `/debug/peers/find?key=${absent}`, 200, 200],
  ['metrics', 'GET', '/debug/peers/find', 400, 400],
  ['metrics', 'GET', '/debug/peers/find?key=x&timeout=1', 400, 400],
  ['metrics', 'GET', `/debug/peers/find?key=${absent}&timeout=99999`, 400, 400],
  ['metrics', 'GET', '/debug/pprof/', 404, 404],
  ['metrics', 'GET', '/', 404, 404],
  ['metrics', 'GET', '/v2/', 404, 404],
  ['bootstrap', 'GET', '/id', 200, 200],
  ['bootstrap', 'GET', '/ids', 200, 200],
  ['bootstrap', 'POST', '/id', 404, 404],
  ['bootstrap', 'GET', '/', 404, 404],
  ['bootstrap', 'GET', '/v2/', 404, 404],
  ['cleanup', 'GET', '/readyz', 200, 200],
  ['cleanup', 'HEAD', '/readyz', 200, 200],
  ['cleanup', 'POST', '/readyz', 404, 404],
  ['cleanup', 'GET', '/', 404, 404],
];

test('every route gives a stranger what the table says', async () => {
  for (const [index, n] of [1, 2].entries()) {
    for (const listener of ['registry', 'metrics', 'bootstrap', 'cleanup'] as const) {
      const rows = ROUTES.filter(([name]) => name === listener);
      const statuses = await ask(n, listener, ...rows.map(([, method, target]) => [method, target] as const));
      const got = rows.map(([, method, target], row) => `${method} ${target} ${statuses[row]}`);
      expect(got).toEqual(rows.map(([, method, target, ...want]) => `${method} ${target} ${want[index]}`));
    }
  }
});

test('who speaks HTTP to the router gets no HTTP', async () => {
  const [answer] = await send(1, ports.router, [get('/')], { patienceMs: 500 });
  expect(answer?.statuses).toEqual([]);
});

/** What is wrong, the bytes, and the statuses that come back: one, then the connection ends. */
const HOSTILE: readonly [string, string, readonly number[]][] = [
  [
    'a length and chunks',
    get('/livez', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n') + get('/x'),
    [400],
  ],
  ['two lengths', get('/livez', 'Content-Length: 1\r\nContent-Length: 2\r\n') + get('/x'), [400]],
  ['a length with a sign', get('/livez', 'Content-Length: +1\r\n') + get('/x'), [400]],
  [
    'chunks that are not the last coding',
    get('/livez', 'Transfer-Encoding: chunked, x\r\n') + get('/x'),
    [400],
  ],
  ['a folded header', get('/livez', 'A: b\r\n c\r\n'), [400]],
  ['a space before the colon', get('/livez', 'A : b\r\n'), [400]],
  ['lines that end in LF only', 'GET /livez HTTP/1.1\nHost: x\n\n', [400]],
  ['a bare CR', get('/livez', 'A: b\rc: d\r\n'), [400]],
  ['a NUL in a header', get('/livez', 'A: \0\r\n'), [400]],
  ['no Host', 'GET /livez HTTP/1.1\r\n\r\n', [400]],
  ['two Hosts', get('/livez', `Host: y\r\n${CLOSE}`), [400]],
  ['a target in absolute form', get('http://x/livez', CLOSE), [200]],
  ['the absolute form, whatever Host says', get('http://y/livez', CLOSE), [200]],
  ['an absolute form that names a user', get('http://a@x/livez', CLOSE), [400]],
  ['a slash that is encoded twice', get('/v2/a%252fb', CLOSE), [400]],
  ['a target in authority form', `CONNECT x:443 HTTP/1.1\r\nHost: x\r\n${CLOSE}\r\n`, [400]],
  ['a target without a slash', get('livez', CLOSE), [400]],
  ['an encoded ..', get('/v2/%2e%2e/livez', CLOSE), [400]],
  ['a plain ..', get('/v2/../livez', CLOSE), [400]],
  ['a backslash', get('/v2\\..\\livez', CLOSE), [400]],
  ['a NUL in the target', get('/livez\0', CLOSE), [400]],
  ['a fragment', get('/livez#x', CLOSE), [400]],
  ['an overlong target', get(`/${'a'.repeat(3000)}`, CLOSE), [414]],
  ['an overlong head', get('/livez', `A: ${'a'.repeat(20_000)}\r\n`), [431]],
  ['many headers', get('/livez', 'A: b\r\n'.repeat(100)), [431]],
  ['a flood of headers', get('/livez', 'A: b\r\n'.repeat(100_000)), [431]],
  ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [400]],
  ['an upgrade', get('/livez', `Upgrade: h2c\r\nConnection: Upgrade, close\r\n`), [200]],
  ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', [400]],
];

describe.each(['registry', 'metrics', 'bootstrap', 'cleanup'] as const)('the %s listener', (listener) => {
  test('refuses what is malformed, once, and ends the connection', async () => {
    const answers = await send(
      2,
      ports[listener],
      HOSTILE.map(([, text]) => text),
    );
    const got = answers.map(({ statuses, end }, row) => [HOSTILE[row]?.[0], statuses, end !== 'open']);
    // Only the registry has /livez.
    const ok = (status: number) => (status === 200 && listener !== 'registry' ? 404 : status);
    expect(got).toEqual(HOSTILE.map(([what, , statuses]) => [what, statuses.map(ok), true]));
  });

  test('takes // and slashes at the end for other paths', async () => {
    const targets = ['/v2//', '//metrics', '//id', '//readyz', '/readyz%2f', '/readyz/', '/readyz;x'];
    const statuses = await ask(2, listener, ...targets.map((target) => ['GET', target] as const));
    expect(statuses.filter((status) => status !== 404 && status !== 400)).toEqual([]);
  });
});

test('clients that send a byte now and then are cut off, and others are served meanwhile', async () => {
  const slow = send(
    2,
    ports.registry,
    Array.from({ length: 200 }, () => get('/livez', `A: ${'a'.repeat(500)}\r\n`)),
    {
      byteEveryMs: 500,
      patienceMs: 60_000,
    },
  );
  const [served] = await ask(2, 'registry', ['GET', '/livez']);
  expect(served).toBe(200);
  const answers = await slow;
  expect(answers).toHaveLength(200);
  for (const { end, statuses } of answers) {
    expect(end).not.toBe('open');
    expect(statuses.filter((status) => status !== 408)).toEqual([]);
  }
});

test('more connections than fit are refused, and those that are there go on', async () => {
  const idle = send(
    2,
    ports.registry,
    Array.from({ length: 1200 }, () => 'GET '),
    { patienceMs: 4_000 },
  );
  const answers: RawAnswer[] = await idle;
  const refused = answers.filter(({ end }) => end !== 'open').length;
  console.log(`${refused} of ${answers.length} connections refused`);
  // Of 1024, an address that is alone gets three quarters; probes of the lab may have some.
  expect(refused).toBeGreaterThanOrEqual(432);
  expect(refused).toBeLessThan(500);
  expect(await ask(2, 'registry', ['GET', '/livez'])).toEqual([200]);
});

test('after all of this the daemons live on, in little memory, and logged no error', async () => {
  for (const { mirror } of lab().nodes) {
    expect(mirror.running).toBe(true);
    const { anonymousBytes } = await mirror.usage();
    expect(anonymousBytes).toBeLessThan(100e6);
    const log = await mirror.log();
    expect(log).toContain('"level":"DEBUG"');
    // That nothing configured these nodes' containerds is what the daemon is to say.
    const errors = log
      .split('\n')
      .filter((line) => line.includes('"level":"ERROR"') && !line.includes('this node needs fixing'));
    expect(errors).toEqual([]);
  }
});
