import { expect, test } from 'bun:test';

import type { TransfersView } from '../../src/commands/ask-transfers.ts';
import type { FindReport, PeersReport } from '../../src/routing/peers-report.ts';
import { createImage } from '../lab/test-image.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { untilFound } from '../lab/until-found.ts';
import { waitFor } from '../lab/wait-for.ts';
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
  for (const address of addresses) expect(text.stdout).toContain(`  ${address} `);
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

test('peers transfers shows a pull of the node, and from which node it came', async () => {
  const image = createImage({ seed: 'transfers', layers: [{ sizeBytes: 300_000 }] });
  await lab().node(2).importImage(image, `${REGISTRY}/transfers:v1`);
  // Not by asking the mirror for it: that would be a pull.
  const { mirror } = lab().node(3);
  for (const name of [`${REGISTRY}/transfers:v1`, ...image.blobs.map(({ digest }) => digest)]) {
    await waitFor(
      `a record of ${name}`,
      async () => (await mirror.run(['peers', 'find', name])).exitCode === 0,
    );
  }
  await lab().node(3).pull(`${REGISTRY}/transfers:v1`);
  const show = async (...args: readonly string[]) => {
    const { exitCode, stdout } = await mirror.run(['peers', 'transfers', ...args]);
    expect(exitCode).toBe(0);
    return stdout;
  };
  const pulled = await waitFor('the end of the pull', async () => {
    const { pulls, transfers } = JSON.parse(await show('--json')) as TransfersView;
    const pull = pulls.find((each) => each.image === `${REGISTRY}/transfers:v1`);
    return pull && { pull, transfers };
  });
  const address = lab().node(2).endpoint.ipv4;
  expect(pulled.pull).toMatchObject({ outcome: 'served', missCount: 0, peers: [{ address }] });
  const layer = image.blobs.find(({ kind }) => kind === 'layer');
  expect(pulled.transfers.find(({ digest }) => digest === layer?.digest)).toMatchObject({
    forwarded: false,
    outcome: 'served',
    sources: [{ origin: address }],
  });
  const text = await show();
  expect(text).toStartWith('1 pull (1 served) of this node. It asked for ');
  const line = text.split('\n').find((each) => each.includes(`blob ${layer?.digest.slice(0, 19)}…`));
  expect(line).toContain(`  ${address}`);
  expect(line).toEndWith('  served');
});

test('peers --watch draws in one place on a terminal until Ctrl-C, and gives the cursor back', async () => {
  const { endpoint, mirror } = lab().node(1);
  let written = '';
  const child = Bun.spawn([...endpoint.namespace.enter, mirror.binary, 'peers', '--watch=200ms'], {
    env: { ...process.env, TERM: 'xterm', NO_COLOR: '1' },
    terminal: { cols: 70, rows: 30, data: (_, bytes) => void (written += new TextDecoder().decode(bytes)) },
  });
  try {
    // Up, and over the first answer.
    await waitFor('the second answer', () => written.includes('AThis node is ready'));
    child.terminal?.write('\u0003');
    expect(await child.exited).toBe(0);
  } finally {
    child.kill('SIGKILL');
    await child.exited;
  }
  expect(written).toStartWith('\u001B[?25lThis node is ready and knows 2 peers');
  expect(written.replace('^C', '')).toEndWith('\u001B[?25h');
});

test('peers says so when no daemon answers, and find does not take that for an answer', async () => {
  const { mirror } = lab().node(1);
  const [peers, found] = [
    await mirror.run(['peers', '--addr', '127.0.0.1:9']),
    await mirror.run(['peers', 'find', 'nginx', '--addr', '127.0.0.1:9']),
  ];
  expect([peers.exitCode, found.exitCode]).toEqual([1, 3]);
  const error = 'error: No spegel answers at 127.0.0.1:9: is it running? Set --addr to its --metrics-addr\n';
  expect([peers.stderr, found.stderr]).toEqual([error, error]);
});
