import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BINARY } from '../lab/binary.ts';
import { nodeHost, NO_MIRROR } from '../lab/lab-node.ts';
import { createSelfSignedCertificate } from '../lab/self-signed-certificate.ts';
import { waitFor } from '../lab/wait-for.ts';
import { useLab } from './test-lab.ts';

/** The name in the certificate, which is that of the first node. */
const NAME = 'boot.lab';
const lab = useLab({ nodes: 3, binary: NO_MIRROR, zone: { [NAME]: [nodeHost(1).ipv4] } });

/** Signs itself, so it is its own authority. */
const own = createSelfSignedCertificate(NAME);
const foreign = createSelfSignedCertificate(NAME);
const started: { readonly child: Bun.Subprocess; readonly log: string }[] = [];

beforeAll(async () => {
  // The third one is not of this cluster.
  for (const [index, { certificate, privateKey }] of [own, own, foreign].entries()) {
    const { containerd, endpoint } = lab().node(index + 1);
    const folder = join(lab().directory, `tls${index}`);
    mkdirSync(folder);
    const files = { 'ca.crt': certificate, 'tls.crt': certificate, 'tls.key': privateKey };
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    const flags = {
      'containerd-sock': containerd.paths.socket,
      'containerd-content-path': containerd.contentPath,
      'bootstrap-kind': 'http',
      'http-bootstrap-addr': ':8443',
      'http-bootstrap-url': `https://${NAME}:8443/ids`,
      'http-bootstrap-cert-dir': folder,
    };
    const argv = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    const log = join(folder, 'log');
    const child = Bun.spawn(
      [...endpoint.namespace.enter, 'setpriv', '--pdeathsig', 'KILL', BINARY, 'registry', ...argv],
      { stderr: Bun.file(log), stdout: 'ignore', stdin: 'ignore' },
    );
    started.push({ child, log });
  }
});
afterAll(async () => {
  for (const { child } of started) {
    child.kill('SIGTERM');
    await child.exited;
  }
});

async function peersOf(n: number): Promise<string[]> {
  const { enter } = lab().node(n).endpoint.namespace;
  const { stdout } = Bun.spawnSync([...enter, BINARY, 'peers', '--json']);
  const { peers } = JSON.parse(stdout.toString()) as { peers: { addresses: string[]; connected: boolean }[] };
  return peers.flatMap(({ addresses, connected }) => (connected ? addresses : []));
}

test('nodes with certificates of one authority find each other', async () => {
  for (const [n, other] of [
    [1, 2],
    [2, 1],
  ] as const) {
    const { ipv4 } = lab().node(other).endpoint;
    await waitFor(`node ${n} to know ${ipv4}`, async () => (await peersOf(n)).includes(ipv4));
  }
});

test('a node with a certificate of another authority stays outside, and says why', async () => {
  const log = started[2]?.log ?? '';
  await waitFor('a warning', async () =>
    (await readFile(log, 'utf8')).includes('Cannot bootstrap, trying again'),
  );
  expect(await peersOf(3)).toEqual([]);
  expect(await peersOf(1)).not.toContain(lab().node(3).endpoint.ipv4);
});

test('a stranger without a certificate gets nothing', async () => {
  const { ipv4 } = lab().node(1).endpoint;
  for (const scheme of ['http', 'https']) {
    const answer = await lab()
      .http.fetch(`${scheme}://${ipv4}:8443/id`, {
        tls: { rejectUnauthorized: false },
      } as BunFetchRequestInit)
      .then(
        ({ status }) => status,
        () => 'refused',
      );
    expect(answer).toBe('refused');
  }
});
