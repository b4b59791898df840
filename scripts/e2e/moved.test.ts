import { afterAll, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { PeersReport } from '../../src/routing/peers-report.ts';
import { BINARY } from '../lab/binary.ts';
import { MIRROR_PORTS } from '../lab/mirror.ts';
import { waitFor } from '../lab/wait-for.ts';
import { useLab } from './test-lab.ts';

const folder = mkdtempSync(join(tmpdir(), 'spegel-moved-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const lab = useLab({ nodes: [{}, {}, { mirrorArgs: ['--data-dir', join(folder, 'data')] }] });

const [NEW_IPV4, NEW_IPV6] = ['10.99.2.3', 'fd99::203'];
/** An old connection is given up after 10 s without an answer. */
const GIVEN_UP_MS = 20_000;

test('a node that came back with another address, and took leave of nobody, is one of them at once', async () => {
  const [asked, moved] = [lab().node(1), lab().node(3)];
  const { namespace, ipv4, ipv6 } = moved.endpoint;
  const statesOf = async () => {
    const { stdout } = await asked.mirror.run(['peers', '--json']);
    const { peers } = JSON.parse(stdout) as PeersReport;
    return peers.flatMap(({ state, addresses }) => (addresses.includes(NEW_IPV4) ? [state] : []));
  };
  /** Connections between the two, as the one that was asked sees them. */
  const connections = () => {
    const { enter } = asked.endpoint.namespace;
    const filter = `( sport = :${MIRROR_PORTS.router} or dport = :${MIRROR_PORTS.router} )`;
    const { stdout } = Bun.spawnSync([...enter, 'ss', '-Htn', 'state', 'established', filter]);
    return stdout.toString().trim().split('\n');
  };
  const oldAddresses = [ipv4, ...(ipv6 === undefined ? [] : [ipv6])];
  const leadToOld = () =>
    connections().filter((line) =>
      oldAddresses.some((address) => line.includes(`${address}:`) || line.includes(`${address}]:`)),
    );
  await waitFor('the nodes to be connected', () => leadToOld().length > 0);

  // As when a machine loses power: the others are told nothing.
  await moved.endpoint.blackhole();
  await moved.mirror.kill();
  await namespace.ip([
    // In this order: the first address of a network takes the others with it.
    `addr del ${ipv4}/16 dev eth0`,
    `addr add ${NEW_IPV4}/16 dev eth0`,
    ...(ipv6 === undefined ? [] : [`addr del ${ipv6}/64 dev eth0`, `addr add ${NEW_IPV6}/64 dev eth0 nodad`]),
  ]);
  await moved.endpoint.reconnect();
  expect(leadToOld()).not.toEqual([]);
  const log = join(folder, 'log');
  const settings = {
    'log-level': 'INFO',
    'containerd-sock': moved.containerd.paths.socket,
    'containerd-content-path': moved.containerd.contentPath,
    'data-dir': join(folder, 'data'),
    'bootstrap-kind': 'http',
    'registry-addr': `:${MIRROR_PORTS.registry}`,
    'router-addr': `:${MIRROR_PORTS.router}`,
    'metrics-addr': `:${MIRROR_PORTS.metrics}`,
    'http-bootstrap-peer': `http://${asked.endpoint.ipv4}:${MIRROR_PORTS.bootstrap}`,
  };
  const args = Object.entries(settings).flatMap(([flag, value]) => [`--${flag}`, value]);
  const command = ['setpriv', '--pdeathsig', 'KILL', BINARY, 'registry', ...args];
  const child = Bun.spawn([...namespace.enter, ...command], { stdout: 'ignore', stderr: Bun.file(log) });
  try {
    await waitFor('the node at its new address', async () => (await statesOf()).includes('connected'));
    const seen = new Set<string>();
    await waitFor(
      'the old connections to end',
      async () => {
        for (const state of await statesOf()) seen.add(state);
        return leadToOld().length === 0;
      },
      { timeoutMs: GIVEN_UP_MS },
    );
    expect([...seen]).toEqual(['connected']);
  } catch (error) {
    throw new Error(`${String(error)}\n${readFileSync(log, 'utf8').slice(-2000)}`, { cause: error });
  } finally {
    child.kill('SIGTERM');
    await child.exited;
  }
});
