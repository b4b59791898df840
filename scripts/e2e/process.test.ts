import { readFile } from 'node:fs/promises';
import { expect, test } from 'bun:test';
import { ENGINE_SETTINGS } from '../../src/runtime/engine-settings.ts';
import type { LabNode } from '../lab/lab-node.ts';
import { MIRROR_PORTS } from '../lab/mirror.ts';
import { createImage } from '../lab/test-image.ts';
import { contentPath, untilFound } from '../lab/until-found.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { useLab } from './test-lab.ts';

/** A single node: its startup probe must not wait for others. */
const lab = useLab({ nodes: 1 });

/** Ports that are listened on in the node's namespace. */
async function listeningPorts({ containerd }: LabNode): Promise<number[]> {
  const { pid } = containerd.daemon;
  const tables = ['tcp', 'tcp6'].map(async (table) => readFile(`/proc/${pid}/net/${table}`, 'utf8'));
  return (await Promise.all(tables)).flatMap((table) =>
    table.split('\n').flatMap((line) => {
      const [, local = '', , state] = line.trim().split(/\s+/);
      return state === '0A' ? [Number.parseInt(local.slice(local.lastIndexOf(':') + 1), 16)] : [];
    }),
  );
}

test('a single node becomes ready', async () => {
  expect((await lab().node(1).mirror.fetch('/readyz')).status).toBe(200);
});

test('the daemon runs with the settings of the engine, in the process that was started', async () => {
  const { pid } = lab().node(1).mirror;
  const environment = (await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0');
  const settings = Object.entries(ENGINE_SETTINGS).map(([name, value]) => `${name}=${value}`);
  expect(environment).toEqual(expect.arrayContaining(settings));
  expect(await readFile(`/proc/${pid}/comm`, 'utf8')).toBe('spegel\n');
});

test('an address that is taken is an error that names it, with exit code 1', async () => {
  const { exitCode, stderr } = await lab()
    .node(1)
    .mirror.run([
      'registry',
      '--bootstrap-kind=static',
      '--router-addr=:6001',
      '--metrics-addr=:6002',
      '--registry-addr=:5000',
      `--containerd-sock=${lab().node(1).containerd.paths.socket}`,
      `--containerd-content-path=${lab().node(1).containerd.contentPath}`,
    ]);
  expect(exitCode).toBe(1);
  expect(stderr).toContain('5000');
});

test('SIGTERM lets a running body finish, then ends with 0 and frees every port', async () => {
  const node = lab().node(1);
  const image = createImage({ seed: 'term', layers: [{ sizeBytes: 50e6 }] });
  const [layer] = image.blobs;
  if (layer === undefined) throw new Error('The image has no layer');
  await node.importImage(image, `${REGISTRY}/term:v1`);
  await untilFound(node, image, 'term');
  const ports = Object.values(MIRROR_PORTS);
  expect(await listeningPorts(node)).toEqual(expect.arrayContaining(ports));

  // The body takes two seconds, so the signal meets it half way.
  await node.endpoint.shape({ egressMbit: 200 });
  const response = await node.mirror.fetch(contentPath('term', layer));
  const stopped = node.mirror.stop();
  const body = await response.bytes();
  expect(new Bun.CryptoHasher('sha256').update(body).digest('hex')).toBe(
    layer.digest.slice('sha256:'.length),
  );
  const bodyEndedMs = performance.now();
  expect(await stopped).toBe(0);
  expect(performance.now() - bodyEndedMs).toBeLessThan(2_000);
  const left = await listeningPorts(node);
  expect(ports.filter((port) => left.includes(port))).toEqual([]);
});
