import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { failureOf } from '../../src/runtime/conditions.fixture.ts';
import type { Lab } from '../lab/lab.ts';
import { type LabNode, nodeHost } from '../lab/lab-node.ts';
import { createImage } from '../lab/test-image.ts';
import { contentPath, untilFound } from '../lab/until-found.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { waitFor } from '../lab/wait-for.ts';
import { useLab } from './test-lab.ts';

const DOMAIN = 'spegel-bootstrap.spegel.svc.cluster.local.';
const NAME = DOMAIN.replace(/\.$/, '');
const BY_DNS = ['--bootstrap-kind', 'dns', '--dns-bootstrap-domain', DOMAIN];
const addressesOf = (...nodes: readonly number[]) =>
  nodes.flatMap((n) => {
    const { host, ipv4 } = nodeHost(n);
    return [ipv4, `fd99::${host.toString(16)}`];
  });
const MEMBERS = { [NAME]: addressesOf(1, 2) };
/** A refresh is every 36 s at the latest. */
const REFRESH_TIMEOUT_MS = 60_000;
const HEX_KEY = '00112233445566778899aabbccddeeff';

const folder = mkdtempSync(join(tmpdir(), 'spegel-membership-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const KEY_FILE = join(folder, 'swarm.key');
writeFileSync(KEY_FILE, `/key/swarm/psk/1.0.0/\n/base16/\n${HEX_KEY.repeat(2)}\n`);

async function connectedPeers(node: LabNode): Promise<number> {
  const { stdout } = await node.mirror.run(['peers', '--json']);
  const { peers } = JSON.parse(stdout) as { peers: { connected: boolean }[] };
  return peers.filter(({ connected }) => connected).length;
}

/** All requests that its mirror has answered. */
async function requestsTo(node: LabNode): Promise<number> {
  return (await node.mirror.metrics()).sum('http_request_duration_seconds_count');
}

/** The node has the image, and has told the others as well as it can. */
async function offer(node: LabNode, name: string) {
  const image = createImage({ seed: name, layers: [{ sizeBytes: 100_000 }] });
  await node.importImage(image, `${REGISTRY}/${name}:v1`);
  await waitFor(`${node.name} to announce ${name}`, async () => {
    const metrics = await node.mirror.metrics();
    return metrics.sum('spegel_advertised_content_digests') >= image.blobs.length;
  });
  return image;
}

async function withoutUpstream(lab: Lab, run: () => Promise<void>): Promise<void> {
  await lab.upstream.cut('refuse');
  try {
    await run();
  } finally {
    await lab.upstream.restore();
  }
}

describe('with members by DNS', () => {
  // Node 3 bootstraps by the HTTP endpoint of node 1.
  const lab = useLab({ nodes: [{ mirrorArgs: BY_DNS }, { mirrorArgs: BY_DNS }, {}], zone: MEMBERS });

  test('a stranger is no source of anything', async () => {
    const [first, second, stranger] = [1, 2, 3].map((n) => lab().node(n)) as [LabNode, LabNode, LabNode];
    await waitFor('the members to know each other', async () => (await connectedPeers(second)) > 0);
    await waitFor('the stranger to be a pending peer', async () => {
      const metrics = await first.mirror.metrics();
      return metrics.sum('spegel_router_pending_peers') > 0;
    });
    const image = await offer(stranger, 'of-a-stranger');
    const ours = await offer(first, 'of-a-member');
    // The stranger gets answers: it may be a member soon.
    await untilFound(stranger, ours, 'of-a-member', 'v1');
    await untilFound(second, ours, 'of-a-member', 'v1');
    const before = await requestsTo(stranger);
    await withoutUpstream(lab(), async () => {
      await failureOf(second.pull(`${REGISTRY}/of-a-stranger:v1`));
      for (const blob of image.blobs) {
        expect((await second.mirror.fetch(contentPath('of-a-stranger', blob))).status).toBe(404);
      }
      await second.pull(`${REGISTRY}/of-a-member:v1`);
      await second.verify(ours);
    });
    expect(await requestsTo(stranger)).toBe(before);
    expect((await first.mirror.metrics()).sum('spegel_router_members')).toBe(4);
  });

  test('members go on while DNS fails', async () => {
    lab().setZone({ [NAME]: 'SERVFAIL' });
    const image = await offer(lab().node(2), 'while-dns-fails');
    await untilFound(lab().node(1), image, 'while-dns-fails', 'v1');
    await withoutUpstream(lab(), async () => {
      await lab().node(1).pull(`${REGISTRY}/while-dns-fails:v1`);
    });
    await lab().node(1).verify(image);
  });

  test('a node is a source once DNS names it, also of what it had before', async () => {
    lab().setZone({ [NAME]: addressesOf(1, 2, 3) });
    const image = createImage({ seed: 'of-a-stranger', layers: [{ sizeBytes: 100_000 }] });
    await waitFor(
      'the content to be found',
      async () => {
        const path = contentPath('of-a-stranger', image.root);
        return (await lab().node(2).mirror.fetch(path, { method: 'HEAD' })).status === 200;
      },
      { timeoutMs: REFRESH_TIMEOUT_MS },
    );
    await withoutUpstream(lab(), async () => {
      await lab().node(2).pull(`${REGISTRY}/of-a-stranger:v1`);
    });
    await lab().node(2).verify(image);
  });
});

describe('with members by DNS, the list of which is old', () => {
  const endpointNames = Object.fromEntries(
    addressesOf(3).map((ip) => [`${ip.replaceAll(/[.:]/g, '-')}.${NAME}`, [ip]]),
  );
  const lab = useLab({
    nodes: [{ mirrorArgs: BY_DNS }, { mirrorArgs: BY_DNS }, { mirrorArgs: BY_DNS }],
    zone: { ...MEMBERS, ...endpointNames },
  });

  test('a node with a name of its own is a source, and has sources, all the same', async () => {
    const [first, second, young] = [1, 2, 3].map((n) => lab().node(n)) as [LabNode, LabNode, LabNode];
    await waitFor('the young node to be a member', async () => (await connectedPeers(second)) === 2);
    const [theirs, ours] = [await offer(young, 'of-the-young'), await offer(first, 'of-the-old')];
    await untilFound(second, theirs, 'of-the-young', 'v1');
    await untilFound(young, ours, 'of-the-old', 'v1');
    await withoutUpstream(lab(), async () => {
      await second.pull(`${REGISTRY}/of-the-young:v1`);
      await second.verify(theirs);
      await young.pull(`${REGISTRY}/of-the-old:v1`);
      await young.verify(ours);
    });
  });
});

describe('with members by DNS, the check off', () => {
  const mirrorArgs = [...BY_DNS, '--membership-check=false'];
  const lab = useLab({ nodes: [{ mirrorArgs }, { mirrorArgs }, {}], zone: MEMBERS });

  test('everybody is a source', async () => {
    const image = await offer(lab().node(3), 'of-anybody');
    await untilFound(lab().node(2), image, 'of-anybody', 'v1');
    await withoutUpstream(lab(), async () => {
      await lab().node(2).pull(`${REGISTRY}/of-anybody:v1`);
    });
    await lab().node(2).verify(image);
  });
});

describe('with a swarm key and allowed networks', () => {
  const mirrorArgs = ['--swarm-key-file', KEY_FILE, '--allowed-networks', '10.99.0.0/16', 'fd99::/16'];
  const lab = useLab({ nodes: [{ mirrorArgs }, { mirrorArgs }, {}] });

  test('nodes that have the key share, and one without it cannot join', async () => {
    await waitFor('the nodes to find each other', async () => (await connectedPeers(lab().node(2))) === 1);
    const image = await offer(lab().node(1), 'private');
    await untilFound(lab().node(2), image, 'private', 'v1');
    const foreign = await offer(lab().node(3), 'foreign');
    await waitFor('the failure in the log', async () =>
      (await lab().node(3).mirror.log()).includes('Cannot bootstrap'),
    );
    expect(await Promise.all([1, 2, 3].map(async (n) => connectedPeers(lab().node(n))))).toEqual([1, 1, 0]);
    await withoutUpstream(lab(), async () => {
      await lab().node(2).pull(`${REGISTRY}/private:v1`);
      await lab().node(2).verify(image);
      await failureOf(lab().node(3).pull(`${REGISTRY}/private:v1`));
      expect((await lab().node(2).mirror.fetch(contentPath('foreign', foreign.root))).status).toBe(404);
    });
  });
});
