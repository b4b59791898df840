import { describe, expect, test } from 'bun:test';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CanaryReport, CanaryResult } from '../../src/canary/canary-result.ts';
import { canaryRepository, NO_REGISTRY } from '../../src/canary/canary-name.ts';
import type { Finding } from '../../src/doctor/finding.ts';
import { doctorFlags } from '../lab/doctor-flags.ts';
import type { LabNode } from '../lab/lab-node.ts';
import { MIRROR_PORTS } from '../lab/mirror.ts';
import { createImage } from '../lab/test-image.ts';
import type { UpstreamRequest } from '../lab/access-log.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { waitFor } from '../lab/wait-for.ts';
import { useLab } from './test-lab.ts';

const ON = '--canary-enabled=true';
const LISTED = [ON, '--mirrored-registries', `http://${REGISTRY}`, 'http://registry.lab'];

/** Node 1 mirrors upstream alone, node 2 all registries. */
const lab = useLab({ nodes: [{ mirrorArgs: LISTED }, { mirrorArgs: [ON], mirroredRegistries: [] }] });

const at = (node: LabNode, path: string) => `http://${node.endpoint.ipv4}:${MIRROR_PORTS.metrics}${path}`;
const ask = async (node: LabNode, init: RequestInit = {}) =>
  lab().http.fetch(at(node, '/debug/canary'), { signal: AbortSignal.timeout(40_000), ...init });
const lastOf = async (node: LabNode) => ((await (await ask(node)).json()) as CanaryReport).last;

/** The result of the run after the start. */
async function firstRun(node: LabNode): Promise<CanaryResult> {
  return waitFor('the run after the start', async () => lastOf(node), { timeoutMs: 90_000 });
}

/** Runs the canary now, or as soon as that is allowed. */
async function run(node: LabNode): Promise<CanaryResult> {
  await firstRun(node);
  return waitFor(
    'a run',
    async () => {
      const answer = await ask(node, { method: 'POST' });
      return answer.status === 200 ? ((await answer.json()) as CanaryReport).last : undefined;
    },
    { timeoutMs: 90_000, intervalMs: 500 },
  );
}

/** What containerd has: names of images, content, snapshots. */
async function contentsOf({ containerd }: LabNode) {
  const list = async (...args: readonly string[]) =>
    (await containerd.ctr([...args]))
      .split('\n')
      .filter((line) => line !== '')
      .sort();
  return {
    images: await list('images', 'ls', '-q'),
    content: await list('content', 'ls', '-q'),
    snapshots: (await list('snapshots', 'ls')).slice(1),
    leases: await list('leases', 'ls', '-q'),
    // Of a containerd that has not downloaded anything there is none.
    ingests: await readdir(join(containerd.contentPath, 'ingest')).catch(() => []),
  };
}

/** The series of metrics of requests, images and peers, but for those of the canary. */
async function seriesOf({ mirror }: LabNode): Promise<readonly string[]> {
  const { samples } = await mirror.metrics();
  return samples
    .filter(({ name, labels }) => !/canary|mirror_in_use/.test(name) && labels['handler'] !== 'canary')
    .filter(({ name, labels }) => !name.startsWith('http_') || labels['handler']?.endsWith('z') !== true)
    .filter(({ name }) => !name.startsWith('spegel_router_'))
    .map(({ name, labels }) => `${name}${JSON.stringify(labels)}`)
    .sort();
}

async function logLines({ mirror }: LabNode) {
  return (await mirror.log())
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
}

async function doctor({ containerd, mirror }: LabNode, ...args: readonly string[]) {
  const { exitCode, stdout } = await mirror.run(['doctor', '--canary', ...doctorFlags(containerd), ...args]);
  return { exitCode, stdout };
}

/** Has the node ask a mirror that is not there, and then upstream, while the work runs; returns what upstream was asked for. */
async function withoutMirror(node: LabNode, work: () => Promise<void>): Promise<readonly UpstreamRequest[]> {
  const { certsDir } = node.containerd.paths;
  const aside = `${certsDir}-aside`;
  await rename(certsDir, aside);
  try {
    await mkdir(join(certsDir, REGISTRY), { recursive: true });
    const host = '[host."http://127.0.0.1:5999"]\ncapabilities = ["pull", "resolve"]\n';
    await writeFile(join(certsDir, REGISTRY, 'hosts.toml'), `server = "http://${REGISTRY}"\n${host}`);
    const counted = await lab().upstream.count();
    await work();
    return (await counted.requests()).filter(({ client }) => client === node.endpoint.ipv4);
  } finally {
    await rm(certsDir, { recursive: true });
    await rename(aside, certsDir);
  }
}

describe('the canary', () => {
  test.each([
    ['one of the registries that are mirrored', 1, REGISTRY],
    ['a registry that cannot be, where all are mirrored', 2, NO_REGISTRY],
  ])('is pulled from the mirror after the start, of %s', async (_, n, registry) => {
    const node = lab().node(n);
    const result = await firstRun(node);
    expect(result).toMatchObject({ outcome: 'used', isPulled: true, isRemoved: true });
    expect(result.image).toStartWith(`${registry}/spegel-canary/`);
    expect(result.askedAfterMs).toBeLessThanOrEqual(result.durationMs);
    const metrics = await node.mirror.metrics();
    expect(metrics.samples.find(({ name }) => name === 'spegel_mirror_in_use')?.value).toBe(1);
    expect(metrics.sum('spegel_canary_runs_total', { result: 'used' })).toBe(1);
    expect(await logLines(node)).toContainEqual(
      expect.objectContaining({ level: 'INFO', msg: 'containerd asks this mirror', image: result.image }),
    );
    const ready = await node.mirror.fetch('/readyz');
    expect([ready.status, await ready.text()]).toEqual([200, 'containerd asks this mirror']);
  });

  test('leaves nothing behind: no image, no record and no series of a metric', async () => {
    const counted = await lab().upstream.count();
    const node = await lab().addNode({ mirrorArgs: LISTED });
    const contents = await contentsOf(node);
    const series = await seriesOf(node);
    expect(await lastOf(node)).toBeNull();
    const { outcome, isRemoved, image } = await firstRun(node);
    expect({ outcome, isRemoved }).toEqual({ outcome: 'used', isRemoved: true });
    // containerd has collected its content before it says that the image is removed.
    expect(await contentsOf(node)).toEqual(contents);
    expect(await seriesOf(node)).toEqual(series);
    expect(await counted.requests()).toEqual([]);

    const lines = await logLines(node);
    const digests = lines
      .filter(({ msg }) => msg === 'request')
      .flatMap(({ path }) => /spegel-canary\/.*\/(sha256:.*)$/.exec(String(path))?.[1] ?? []);
    expect(new Set(digests).size).toBeGreaterThanOrEqual(2);
    // The node has nothing else that it could have announced.
    expect(lines.filter(({ msg, added }) => msg === 'Advertised' && added !== 0)).toEqual([]);
    for (const key of [...digests, image]) {
      const found = await lab().http.fetch(at(lab().node(1), `/debug/peers/find?key=${key}&timeout=500`));
      expect(await found.json()).toMatchObject({ providers: [], local: false });
    }
    expect(await (await lab().http.fetch(at(node, '/debug/pulls'))).json()).toEqual({ pulls: [] });
    expect(await (await lab().http.fetch(at(node, '/debug/transfers'))).json()).toEqual({ transfers: [] });
  });

  test('of a process that was killed is removed by the next one', async () => {
    const node = lab().node(1);
    await firstRun(node);
    const left = createImage({ seed: `left-${lab().id}`, layers: [{ sizeBytes: 100 }] });
    const name = `${REGISTRY}/${canaryRepository('0'.repeat(32))}:${'1'.repeat(32)}`;
    await node.importImage(left, name);
    expect((await contentsOf(node)).images).toContain(name);
    await node.mirror.restart();
    await firstRun(node);
    expect((await contentsOf(node)).images.filter((image) => image.includes('spegel-canary'))).toEqual([]);
    expect((await logLines(node)).filter(({ msg, added }) => msg === 'Advertised' && added !== 0)).toEqual(
      [],
    );
  });

  test('shows that the mirror is in use with upstream gone, too', async () => {
    await lab().upstream.cut('refuse');
    try {
      expect(await run(lab().node(1))).toMatchObject({ outcome: 'used', isPulled: true, isRemoved: true });
    } finally {
      await lab().upstream.restore();
    }
  });

  test('shows that the mirror is not in use, with one request to the registry', async () => {
    const node = lab().node(1);
    const requests = await withoutMirror(node, async () => {
      const result = await run(node);
      expect(result).toMatchObject({ outcome: 'not-used', requests: 0, isPulled: false });
      expect(result.text).toContain('containerd did not ask this mirror');
      const metrics = await node.mirror.metrics();
      expect(metrics.samples.find(({ name }) => name === 'spegel_mirror_in_use')?.value).toBe(0);
      const ready = await node.mirror.fetch('/readyz');
      expect([ready.status, await ready.text()]).toEqual([
        200,
        'containerd does not ask this mirror; spegel doctor --canary says more',
      ]);
      expect(await logLines(node)).toContainEqual(
        expect.objectContaining({ level: 'ERROR', msg: 'containerd does not ask this mirror' }),
      );
    });
    expect(requests.map(({ method, kind, status }) => [method, kind, status])).toEqual([
      ['HEAD', 'manifests', 404],
    ]);
    expect(await run(node)).toMatchObject({ outcome: 'used' });
  });

  test('shows that the mirror is not in use while the registry does not answer', async () => {
    const node = lab().node(1);
    await withoutMirror(node, async () => {
      await lab().upstream.cut('blackhole');
      try {
        expect(await run(node)).toMatchObject({ outcome: 'not-used', requests: 0, isRemoved: true });
      } finally {
        await lab().upstream.restore();
      }
    });
  });

  test('asks no registry where all are mirrored and hosts.toml is gone', async () => {
    const node = lab().node(2);
    const requests = await withoutMirror(node, async () => {
      const result = await run(node);
      expect(result).toMatchObject({ outcome: 'not-used' });
      expect(result.text).toContain('--mirrored-registries of the daemon has to be the same list');
    });
    expect(requests).toEqual([]);
  });

  test('is unknown while containerd is away', async () => {
    const node = lab().node(2);
    await run(node);
    await node.containerd.stop();
    try {
      expect(await run(node)).toMatchObject({ outcome: 'unknown', isPulled: false });
      const { samples } = await node.mirror.metrics();
      expect(samples.filter(({ name }) => name === 'spegel_mirror_in_use')).toEqual([]);
    } finally {
      await node.containerd.start();
    }
  });

  test('is not run by pages of another origin, nor twice within three seconds', async () => {
    const node = lab().node(1);
    await firstRun(node);
    const foreign = await ask(node, { method: 'POST', headers: { origin: 'http://elsewhere.test' } });
    expect(foreign.status).toBe(403);
    await run(node);
    const early = await ask(node, { method: 'POST' });
    expect(early.status).toBe(429);
    expect(Number(early.headers.get('retry-after'))).toBeGreaterThan(0);
  });
});

describe('spegel doctor --canary', () => {
  test('finds nothing while containerd asks, and names mirror-not-used beside its cause otherwise', async () => {
    const node = lab().node(1);
    const mirrored = ['--mirrored-registries', `http://${REGISTRY}`, 'http://registry.lab'];
    const look = async () => {
      const { exitCode, stdout } = await doctor(node, '--json', ...mirrored);
      const { findings, unknown, canary } = JSON.parse(stdout) as {
        findings: readonly Finding[];
        unknown: readonly string[];
        canary?: CanaryResult;
      };
      return { exitCode, ids: findings.map(({ id }) => id), unknown, outcome: canary?.outcome };
    };
    await run(node);
    const healthy = await look();
    expect(healthy.ids).not.toContain('mirror-not-used');
    expect(healthy).toMatchObject({ unknown: [], outcome: 'used' });
    await withoutMirror(node, async () => {
      await run(node);
      const broken = await look();
      expect(broken).toMatchObject({ exitCode: 1, outcome: 'not-used' });
      expect(broken.ids).toEqual(expect.arrayContaining(['mirror-not-used', 'target-unreachable']));
      const { stdout } = await doctor(node, ...mirrored);
      expect(stdout).toContain('ERROR mirror-not-used');
      expect(stdout).toContain('canary       not-used: see below');
    });
    // What configure wrote counts again.
    expect(await readFile(join(node.containerd.paths.certsDir, REGISTRY, 'hosts.toml'), 'utf8')).toContain(
      'http://127.0.0.1:5000',
    );
    expect(await run(node)).toMatchObject({ outcome: 'used' });
  });
});
