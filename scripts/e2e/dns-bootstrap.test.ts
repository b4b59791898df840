import { expect, test } from 'bun:test';
import type { Finding } from '../../src/doctor/finding.ts';
import { nodeHost } from '../lab/lab-node.ts';
import type { Mirror } from '../lab/mirror.ts';
import { createImage } from '../lab/test-image.ts';
import { untilFound } from '../lab/until-found.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { waitFor } from '../lab/wait-for.ts';
import { useLab } from './test-lab.ts';

/** As the chart writes it: complete, so with a dot at its end. */
const DOMAIN = 'spegel-bootstrap.spegel.svc.cluster.local.';
const NAME = DOMAIN.replace(/\.$/, '');
const BY_DNS = ['--bootstrap-kind', 'dns', '--dns-bootstrap-domain', DOMAIN];
/** Every node finds itself among the addresses, and one that nobody has. */
const ADDRESSES = [1, 2, 3, 99].flatMap((n) => {
  const { host, ipv4 } = nodeHost(n);
  return [ipv4, `fd99::${host.toString(16)}`];
});
/** A node without peers waits for at most 5 s before it asks DNS again, and a dial takes at most 2 s. */
const REJOIN_TIMEOUT_MS = 30_000;

const lab = useLab({ nodes: 3, mirrorArgs: BY_DNS, zone: { [NAME]: ADDRESSES } });

async function peerCount(n: number): Promise<number> {
  const { stdout } = await lab().node(n).mirror.run(['peers', '--json']);
  const { peers } = JSON.parse(stdout) as { peers: { connected: boolean }[] };
  return peers.filter(({ connected }) => connected).length;
}

async function untilAllConnected(): Promise<void> {
  for (const n of [1, 2, 3]) {
    await waitFor(`node ${n} to have two peers`, async () => (await peerCount(n)) === 2, {
      timeoutMs: REJOIN_TIMEOUT_MS,
      intervalMs: 200,
    });
  }
}

test('nodes find each other by DNS and share an image', async () => {
  await untilAllConnected();
  const image = createImage({ seed: 'dns', layers: [{ sizeBytes: 100_000 }] });
  await lab().node(1).importImage(image, `${REGISTRY}/dns:v1`);
  await untilFound(lab().node(3), image, 'dns', 'v1');
  await lab().node(3).pull(`${REGISTRY}/dns:v1`);
  await lab().node(3).verify(image);
});

test('a whole cluster that restarts while DNS fails is ready, and joins once DNS answers', async () => {
  const { mirror } = lab().node(1);
  const before = JSON.parse((await mirror.run(['peers', '--json'])).stdout) as { self: { id: string } };
  lab().setZone({ [NAME]: 'SERVFAIL' });
  const mirrors = lab().nodes.map((node) => node.mirror);
  await Promise.all(mirrors.map(async (each) => each.stop()));
  await Promise.all(mirrors.map(async (each) => each.launch()));
  await Promise.all(mirrors.map(async (each) => each.ready()));
  expect(await peerCount(1)).toBe(0);
  expect(await mirror.log()).toContain(`Cannot resolve ${DOMAIN}`);
  lab().setZone({ [NAME]: ADDRESSES });
  await untilAllConnected();
  const after = JSON.parse((await mirror.run(['peers', '--json'])).stdout) as { self: { id: string } };
  expect(after.self.id).toBe(before.self.id);
});

/** What the mirror has logged since its last start on what the domain names. */
async function namingLines(mirror: Mirror): Promise<readonly Record<string, unknown>[]> {
  const latest = (await mirror.log()).split('"msg":"starting"').at(-1) ?? '';
  const lines = latest.split('\n').filter((line) => /names no(?:body| node)/.test(line));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** The finding of doctor on peers. */
async function noPeers(mirror: Mirror): Promise<Finding | undefined> {
  const { stdout } = await mirror.run(['doctor', '--json']);
  const { findings } = JSON.parse(stdout) as { readonly findings: readonly Finding[] };
  return findings.find(({ id }) => id === 'no-peers');
}

test('a node is ready at once when the domain does not exist, and warns of it once', async () => {
  lab().setZone({});
  const { mirror } = lab().node(2);
  const others = [lab().node(1).mirror, lab().node(3).mirror];
  await Promise.all([mirror, ...others].map(async (each) => each.stop()));
  await mirror.launch();
  await mirror.ready();
  expect(await peerCount(2)).toBe(0);
  const rounds = async () =>
    (await mirror.metrics()).sum('spegel_router_bootstraps_total', { outcome: 'unnamed' });
  await waitFor('some rounds', async () => (await rounds()) >= 4, { timeoutMs: REJOIN_TIMEOUT_MS });
  expect(await namingLines(mirror)).toMatchObject([{ level: 'WARN', domain: DOMAIN }]);
  expect((await noPeers(mirror))?.seen.join()).toContain(`${DOMAIN} names no node, not even this one`);
  lab().setZone({ [NAME]: ADDRESSES });
  await Promise.all(others.map(async (each) => each.launch()));
  await untilAllConnected();
});

test('a node that the domain names alone is ready, and warns of nothing', async () => {
  const { ipv4 } = nodeHost(2);
  lab().setZone({ [NAME]: [ipv4] });
  const { mirror } = lab().node(2);
  await Promise.all(lab().nodes.map(async (node) => node.mirror.stop()));
  await mirror.launch();
  await mirror.ready();
  await waitFor('the first round', async () => (await namingLines(mirror)).length > 0);
  expect(await namingLines(mirror)).toMatchObject([
    { level: 'INFO', msg: 'Bootstrap names nobody but this node' },
  ]);
  expect((await noPeers(mirror))?.seen.join()).not.toContain(DOMAIN);
});

test('a name server that does not answer is told from a name that does not exist', async () => {
  const { mirror } = lab().node(2);
  await mirror.stop();
  lab().setZone({ [NAME]: 'SERVFAIL' });
  await mirror.launch();
  await mirror.ready();
  await waitFor('a failure', async () => (await noPeers(mirror))?.seen.some((text) => text.includes(DOMAIN)));
  expect(await namingLines(mirror)).toEqual([]);
  expect((await noPeers(mirror))?.seen.join()).toContain(`Cannot resolve ${DOMAIN}`);
});
