import { expect, test } from 'bun:test';

import type { FindReport, PeersReport } from '../../src/routing/peers-report.ts';
import { createImage } from '../lab/test-image.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { untilFound } from '../lab/until-found.ts';
import { useLab } from './test-lab.ts';

const lab = useLab({ nodes: 3 });

test('peers lists this node and the others with their addresses', async () => {
  const { exitCode, stdout } = await lab().node(1).mirror.run(['peers', '--json']);
  expect(exitCode).toBe(0);
  const { self, ready, peers } = JSON.parse(stdout) as PeersReport;
  const [own, ...others] = lab().nodes.map(({ endpoint }) => endpoint.ipv4);
  expect(self.addresses.join(' ')).toContain(`${own}/`);
  expect(ready).toBe(true);
  const addresses = peers.map(({ addresses }) => addresses.find((address) => address.includes('.')));
  expect(new Set(addresses)).toEqual(new Set(others));
  const text = await lab().node(1).mirror.run(['peers']);
  expect(text.stdout).toStartWith(
    'This node is ready and knows 2 peers: 2 connected; all of them members.\n',
  );
  for (const address of addresses) expect(text.stdout).toContain(`\n${address} `);
  expect(Math.max(...text.stdout.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(80);
  const wide = await lab().node(1).mirror.run(['peers', '--wide']);
  for (const { id } of peers) expect(wide.stdout).toContain(id);
});

test('peers find says who has an image, by name and by digest', async () => {
  const image = createImage({ seed: 'find', layers: [{ sizeBytes: 1000 }] });
  await lab().node(2).importImage(image, `${REGISTRY}/find:v1`);
  await untilFound(lab().node(1), image, 'find', 'v1');
  for (const name of [`${REGISTRY}/find:v1`, image.root.digest]) {
    const asked = await lab().node(1).mirror.run(['peers', 'find', name, '--json']);
    expect(asked.exitCode).toBe(0);
    const { local, tookMs, providers } = JSON.parse(asked.stdout) as FindReport;
    expect(local).toBe(false);
    expect(tookMs).toBeGreaterThan(0);
    expect(providers).toHaveLength(1);
    expect(providers[0]?.addresses).toContain(lab().node(2).endpoint.ipv4);

    const holder = await lab().node(2).mirror.run(['peers', 'find', name, '--json']);
    expect((JSON.parse(holder.stdout) as FindReport).local).toBe(true);
  }
  const nobody = await lab()
    .node(1)
    .mirror.run(['peers', 'find', `${REGISTRY}/nobody:v1`]);
  expect(nobody.exitCode).toBe(1);
});

test('peers says so when no daemon answers, and find does not take that for nobody', async () => {
  const { mirror } = lab().node(1);
  const [peers, found] = [
    await mirror.run(['peers', '--addr', '127.0.0.1:9']),
    await mirror.run(['peers', 'find', 'nginx', '--addr', '127.0.0.1:9']),
  ];
  expect([peers.exitCode, found.exitCode]).toEqual([1, 3]);
  const error = 'error: No spegel answers at 127.0.0.1:9: is it running? Set --addr to its --metrics-addr\n';
  expect([peers.stderr, found.stderr]).toEqual([error, error]);
});
