import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'bun:test';
import type { LabNode } from '../lab/lab-node.ts';
import { MIRROR_PORTS } from '../lab/mirror.ts';
import { type BlobReader, startReaders } from '../lab/read-blobs.ts';
import { createImage } from '../lab/test-image.ts';
import { contentPath, untilFound } from '../lab/until-found.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { blobPath } from '../lab/verify-image.ts';
import { useLab } from './test-lab.ts';

const MB = 1e6;
const CRASHES = 20;
const READERS = 8;
/** Bodies that end within the grace of 5 s, and some that do not. */
const FAST = { sizeBytes: 4 * MB, bytesPerSecond: 4 * MB };
const SLOW = { sizeBytes: 20 * MB, bytesPerSecond: 0.5 * MB };

const lab = useLab({ nodes: 2 });

/** Sockets that are listened on in the node's namespace, as hexadecimal ports. */
function listening({ containerd }: LabNode): Set<number> {
  const text = ['tcp', 'tcp6'].map((table) =>
    readFileSync(`/proc/${containerd.daemon.pid}/net/${table}`, 'utf8'),
  );
  const lines = text.join('\n').split('\n');
  return new Set(
    lines.flatMap((line) => {
      const [, local = '', , state] = line.trim().split(/\s+/);
      return state === '0A' ? [Number.parseInt(local.slice(local.lastIndexOf(':') + 1), 16)] : [];
    }),
  );
}

const ownPorts = (node: LabNode) => Object.values(MIRROR_PORTS).filter((port) => listening(node).has(port));
const mirrorFolder = ({ name }: LabNode) => join(lab().directory, name, 'mirror');
const files = (path: string) => readdirSync(path, { recursive: true }).map(String).sort();

interface Identity {
  readonly self: { readonly id: string };
}
const identity = async ({ mirror }: LabNode): Promise<string> =>
  (JSON.parse((await mirror.run(['peers', '--json'])).stdout) as Identity).self.id;

describe.each([
  ['the node that has the blobs', 1],
  ['a node that passes them on', 2],
])('SIGTERM during transfers of %s', (_, n) => {
  test('lets them finish within the grace, breaks off the rest, and ends with 0', async () => {
    const { node, hub } = lab();
    const image = createImage({ seed: `end${n}`, layers: [FAST, SLOW] });
    const [fastLayer, slowLayer] = image.blobs.filter(({ kind }) => kind === 'layer');
    if (fastLayer === undefined || slowLayer === undefined) throw new Error('The image has no two layers');
    await node(1).importImage(image, `${REGISTRY}/end${n}:v1`);
    await untilFound(node(2), image, `end${n}`);
    const { mirror } = node(n);
    const readers = Array.from({ length: READERS }, (_, index): BlobReader => {
      const [{ bytesPerSecond }, layer] = index % 2 === 0 ? [FAST, fastLayer] : [SLOW, slowLayer];
      return {
        host: node(n).endpoint.ipv4,
        port: MIRROR_PORTS.registry,
        path: contentPath(`end${n}`, layer),
        file: blobPath(node(1).containerd, layer.digest),
        bytesPerSecond,
      };
    });
    const { underWay, readings: reading } = startReaders(hub, readers);
    await underWay;
    const startedMs = performance.now();
    // With 0 only if it need not be killed after 10 s.
    const exitCode = await mirror.stop();
    const tookMs = performance.now() - startedMs;
    const readings = await reading;
    console.log(`ended in ${tookMs.toFixed(0)} ms: ${readings.map(({ ended }) => ended).join(' ')}`);
    expect(exitCode).toBe(0);
    expect(readings).toHaveLength(READERS);
    readings.forEach(({ ended, wrongAt, receivedBytes }, index) => {
      expect({ ended, wrongAt }).toEqual({
        ended: index % 2 === 0 ? 'complete' : 'short',
        wrongAt: undefined,
      });
      expect(receivedBytes).toBeGreaterThan(0);
    });
    expect(ownPorts(node(n))).toEqual([]);
    expect(await mirror.log()).toContain('exit gracefully');
    await mirror.launch();
    await mirror.ready();
  });
});

test('20 ends by SIGKILL and SIGTERM leave nothing behind, keep the identity, and others find the node again', async () => {
  const { node } = lab();
  const { mirror } = node(1);
  const image = createImage({ seed: 'crash', layers: [{ sizeBytes: 100_000 }] });
  await node(1).importImage(image, `${REGISTRY}/crash:v1`);
  await untilFound(node(2), image, 'crash', 'v1');
  const id = await identity(node(1));
  const kept = files(mirrorFolder(node(1)));
  const recoveriesMs: number[] = [];

  for (let n = 0; n < CRASHES; n++) {
    if (n % 2 === 0) await mirror.kill();
    else expect(await mirror.stop()).toBe(0);
    expect(existsSync(`/proc/${mirror.pid}`)).toBe(false);
    expect(ownPorts(node(1))).toEqual([]);
    await mirror.launch();
    // Now and then it ends while it starts.
    if (n % 5 === 4) continue;
    await mirror.ready();
    expect(await identity(node(1))).toBe(id);
    const readyMs = performance.now();
    await untilFound(node(2), image, 'crash', 'v1');
    recoveriesMs.push(performance.now() - readyMs);
  }

  await mirror.ready();
  expect(await identity(node(1))).toBe(id);
  recoveriesMs.sort((a, b) => a - b);
  console.log(
    `found again after ${recoveriesMs[recoveriesMs.length >> 1]?.toFixed(0)} ms (median), ${recoveriesMs.at(-1)?.toFixed(0)} ms (longest)`,
  );
  expect(files(mirrorFolder(node(1)))).toEqual(kept);
  expect(await mirror.log()).not.toContain('exit with error');
});
