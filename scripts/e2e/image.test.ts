import { afterAll, beforeAll, expect, test } from 'bun:test';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PEERS_PATH, type PeersReport } from '../../src/routing/peers-report.ts';
import { BINARY } from '../lab/binary.ts';
import { type Cleanup, createCleanup } from '../lab/cleanup.ts';
import { type Container, type ContainerHost, createContainerHost } from '../lab/container.ts';
import { type LabNode, nodeHost, NO_MIRROR } from '../lab/lab-node.ts';
import { memoryCgroupMount } from '../lab/memory-cgroup.ts';
import { parseMetrics } from '../lab/metrics.ts';
import { MIRROR_PORTS } from '../lab/mirror.ts';
import { runCommand } from '../lab/run-command.ts';
import { createImage } from '../lab/test-image.ts';
import { contentPath, tagPath } from '../lab/until-found.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { waitFor } from '../lab/wait-for.ts';
import { readImageTexts } from '../oci-image/image-facts.ts';
import { imageName } from '../oci-image/image-layout.ts';
import { archiveNativeImage } from '../oci-image/native-image.ts';
import { containerdMajor, useLab } from './test-lab.ts';

const MIB = 1024 * 1024;
/** What the chart gives a mirror, as request and limit. */
const LIMIT_BYTES = 128 * MIB;
/** Without a memory controller everything else is still tested; the test of the limit then says by its name that it was not. */
const HAS_MEMORY_CONTROLLER = memoryCgroupMount() !== undefined;
/** As the chart writes it. */
const DOMAIN = 'spegel-bootstrap.spegel.svc.cluster.local.';
const NODES = [1, 2, 3];
const START_TIMEOUT_MS = 180_000;
/** Where the chart mounts the node's folders. */
const CONFIG_PATH = '/etc/containerd/certs.d';
const SOCKET_PATH = '/run/containerd/containerd.sock';
const CONTENT_PATH = '/var/lib/containerd/io.containerd.content.v1.content';
/** Where the chart shows the node to doctor. */
const HOST_ROOT = '/host';
/** The chart's init container and cleanup write files of any owner. */
const WRITER_CAPABILITIES = ['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER'];

const lab = useLab({
  nodes: NODES.length,
  // The nodes' own mirror stays away: everything is done by containers.
  binary: NO_MIRROR,
  zone: { 'spegel-bootstrap.spegel.svc.cluster.local': NODES.map((n) => nodeHost(n).ipv4) },
});

const cleanup: Cleanup = createCleanup();
const hosts: ContainerHost[] = [];
const mirrors: Container[] = [];
/** Each node's certs.d before anything of ours ran. */
const originals: string[] = [];

beforeAll(async () => {
  const given = process.env['SPEGEL_IMAGE'];
  const archive =
    given === undefined
      ? await archiveNativeImage(BINARY, lab().directory)
      : { path: given, image: imageName((await readImageTexts()).version) };
  for (const node of lab().nodes) {
    const options = { labId: lab().id, archive: archive.path, image: archive.image };
    hosts.push(await createContainerHost({ cleanup, node }, options));
    originals.push(await readTree(node.containerd.paths.certsDir));
  }
}, START_TIMEOUT_MS);

afterAll(async () => {
  await Promise.all(mirrors.map(async (mirror) => mirror.stop()));
  cleanup.run();
}, START_TIMEOUT_MS);

const at = <T>(items: readonly T[], n: number): T => {
  const item = items[n - 1];
  if (item === undefined) throw new RangeError(`Nothing was started on node ${n}`);
  return item;
};

/** The mirror of each node. Throws unless all of them were started. */
const startedMirrors = (): Container[] => NODES.map((n) => at(mirrors, n));

/** Paths, owners, modes and contents of all below a folder. */
async function readTree(path: string): Promise<string> {
  const find = ['find', '.', '-printf', '%P %M %U:%G\\n', '-type', 'f', '-exec', 'sha256sum', '{}', ';'];
  return (await runCommand(find, { cwd: path })).split('\n').sort().join('\n');
}

/** What of a node `spegel doctor` is shown, where a pod of the chart has it: each below /host, with the node's own path. */
function doctorView({ containerd }: LabNode) {
  const { certsDir, socket } = containerd.paths;
  const config = join(dirname(certsDir), 'config.toml');
  return {
    mounts: [certsDir, config, socket, containerd.contentPath].map((path) => ({
      source: path,
      target: join(HOST_ROOT, path),
    })),
    env: {
      HOST_ROOT,
      CONTAINERD_CONFIG: config,
      CONTAINERD_REGISTRY_CONFIG_PATH: certsDir,
      CONTAINERD_SOCK: socket,
      CONTAINERD_NAMESPACE: 'k8s.io',
      CONTAINERD_CONTENT_PATH: containerd.contentPath,
      MIRRORED_REGISTRIES: `http://${REGISTRY}`,
      REGISTRY_ADDR: `:${MIRROR_PORTS.registry}`,
      ADDR: `127.0.0.1:${MIRROR_PORTS.metrics}`,
    },
  };
}

const certsMount = ({ containerd }: LabNode) => ({
  source: containerd.paths.certsDir,
  target: CONFIG_PATH,
  writable: true,
});

async function fetchFrom(node: LabNode, port: number, path: string, init?: RequestInit): Promise<Response> {
  return lab().http.fetch(`http://${node.endpoint.ipv4}:${port}${path}`, init);
}

/** The requests that a node's mirror passed on, and that a peer answered or did not. */
async function mirrorRequests(node: LabNode): Promise<{ hits: number; misses: number }> {
  const response = await fetchFrom(node, MIRROR_PORTS.metrics, '/metrics');
  const metrics = parseMetrics(await response.text());
  const sum = (cache: string) => metrics.sum('spegel_mirror_requests_total', { cache });
  return { hits: sum('hit'), misses: sum('miss') };
}

test('configure runs as an init container and writes hosts.toml', async () => {
  for (const n of NODES) {
    const node = lab().node(n);
    const { ipv4 } = node.endpoint;
    const result = await at(hosts, n).run({
      name: 'configuration',
      capabilities: WRITER_CAPABILITIES,
      mounts: [certsMount(node)],
      env: { NODE_IP: ipv4 },
      argv: [
        '/spegel',
        'configuration',
        '--log-level=INFO',
        `--containerd-registry-config-path=${CONFIG_PATH}`,
        '--mirrored-registries',
        `http://${REGISTRY}`,
        '--mirror-targets',
        `http://${ipv4}:${MIRROR_PORTS.registry}`,
        '--resolve-tags=true',
        '--prepend-existing=false',
      ],
    });
    expect(result).toMatchObject({ exitCode: 0 });
    const hostsToml = await readFile(join(node.containerd.paths.certsDir, REGISTRY, 'hosts.toml'), 'utf8');
    expect(hostsToml).toContain(`[host.'http://${ipv4}:${MIRROR_PORTS.registry}']`);
  }
});

test('the mirror runs as a container of the chart does, finds the others by DNS, and is ready', async () => {
  for (const n of NODES) {
    const node = lab().node(n);
    const { containerd, endpoint } = node;
    const view = doctorView(node);
    const mirror = await at(hosts, n).start({
      name: 'registry',
      memoryLimitBytes: HAS_MEMORY_CONTROLLER ? LIMIT_BYTES : undefined,
      mounts: [
        { source: containerd.paths.socket, target: SOCKET_PATH },
        { source: containerd.contentPath, target: CONTENT_PATH },
        ...view.mounts,
      ],
      env: { NODE_IP: endpoint.ipv4, ...view.env },
      argv: [
        '/spegel',
        'registry',
        '--log-level=DEBUG',
        `--registry-addr=:${MIRROR_PORTS.registry}`,
        `--router-addr=:${MIRROR_PORTS.router}`,
        `--metrics-addr=:${MIRROR_PORTS.metrics}`,
        `--containerd-sock=${SOCKET_PATH}`,
        '--containerd-namespace=k8s.io',
        `--containerd-content-path=${CONTENT_PATH}`,
        '--mirrored-registries',
        `http://${REGISTRY}`,
        '--mirror-resolve-timeout=200ms',
        '--mirror-resolve-retries=3',
        '--bootstrap-kind=dns',
        `--dns-bootstrap-domain=${DOMAIN}`,
        '--debug-web-enabled=true',
      ],
    });
    mirrors.push(mirror);
  }
  for (const n of NODES) {
    await waitFor(
      `the mirror of node ${n} to know two peers`,
      async () => {
        const ready = await fetchFrom(lab().node(n), MIRROR_PORTS.registry, '/readyz');
        const answer = await fetchFrom(lab().node(n), MIRROR_PORTS.metrics, PEERS_PATH);
        const { peers } = (await answer.json()) as PeersReport;
        return ready.status === 200 && peers.filter(({ connected }) => connected).length === 2;
      },
      { timeoutMs: 60_000, intervalMs: 100 },
    );
  }
});

test('nothing is writable, no capability is left, and seccomp filters', async () => {
  for (const { pid } of startedMirrors()) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const field = (name: string) => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1];
    expect(['CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map(field)).toEqual(Array(4).fill('0'.repeat(16)));
    expect({ noNewPrivileges: field('NoNewPrivs'), seccomp: field('Seccomp'), user: field('Uid') }).toEqual({
      noNewPrivileges: '1',
      seccomp: '2',
      user: '0',
    });
    const mounts = (await readFile(`/proc/${pid}/mountinfo`, 'utf8')).trim().split('\n');
    const optionsOf = (path: string) =>
      mounts
        .map((line) => line.split(' '))
        .find(([, , , , target]) => target === path)?.[5]
        ?.split(',');
    for (const path of ['/', SOCKET_PATH, CONTENT_PATH]) expect(optionsOf(path)).toContain('ro');
  }
});

test('with upstream cut off, n2 pulls by tag and n3 by digest what n1 has pulled', async () => {
  const { node, upstream } = lab();
  const image = createImage({ seed: 'container', layers: [{ sizeBytes: 20 * MIB }, { sizeBytes: 1000 }] });
  await upstream.push(image, 'container', 'v1');
  await node(1).pull(`${REGISTRY}/container:v1`);
  await node(1).verify(image);
  const paths = [tagPath('container', 'v1'), ...image.blobs.map((blob) => contentPath('container', blob))];
  for (const n of [2, 3]) {
    for (const path of paths) {
      await waitFor(`${path} to be found through node ${n}`, async () => {
        const head = await fetchFrom(node(n), MIRROR_PORTS.registry, path, { method: 'HEAD' });
        return head.status === 200;
      });
    }
  }

  await upstream.cut('blackhole');
  const asked = await upstream.count();
  for (const [n, name] of [
    [2, 'container:v1'],
    [3, `container@${image.root.digest}`],
  ] as const) {
    const before = await mirrorRequests(node(n));
    await node(n).pull(`${REGISTRY}/${name}`);
    await node(n).verify(image);
    const after = await mirrorRequests(node(n));
    const counts = { hits: after.hits - before.hits, misses: after.misses - before.misses };
    console.log(`n${n}: ${counts.hits} requests answered by peers, ${counts.misses} not`);
    expect(counts.misses).toBe(0);
    expect(counts.hits).toBeGreaterThanOrEqual(image.blobs.length);
  }
  expect(await asked.requests()).toEqual([]);
  // Its kernel asks for its neighbours' addresses now and then (ARP, IPv6's router solicitation).
  expect(await asked.bytesOut()).toBeLessThan(1000);
  await upstream.restore();
});

test('the page at /debug/web/ names the image that was pulled, and the peer that it came from', async () => {
  const page = await (await fetchFrom(lab().node(2), MIRROR_PORTS.metrics, '/debug/web/')).text();
  expect(page).toContain('container:v1');
  expect(page).toContain(lab().node(1).endpoint.ipv4);
});

test('the program in a running container is found by its name, as documented', async () => {
  const { exitCode, stdout, stderr } = await at(mirrors, 2).exec(['spegel', 'peers', '--json']);
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
  expect((JSON.parse(stdout) as { peers: unknown[] }).peers).toHaveLength(2);
});

test('doctor in a running container sees the node: nothing is wrong, then what somebody has broken', async () => {
  const doctor = async () => {
    const { exitCode, stdout, stderr } = await at(mirrors, 2).exec(['spegel', 'doctor', '--json']);
    if (stdout === '') throw new Error(`doctor ended with ${exitCode}: ${stderr}`);
    return { exitCode, ...(JSON.parse(stdout) as { findings: { id: string }[]; unknown: string[] }) };
  };
  expect(await doctor()).toMatchObject({
    exitCode: 0,
    findings: [],
    unknown: [expect.stringContaining("containerd's process")],
  });
  const { certsDir } = lab().node(2).containerd.paths;
  const config = join(dirname(certsDir), 'config.toml');
  const plugin = containerdMajor() >= 2 ? 'cri.v1.images"' : 'grpc.v1.cri".containerd';
  const before = await readFile(config, 'utf8');
  await appendFile(config, `[plugins."io.containerd.${plugin}]\ndiscard_unpacked_layers = true\n`);
  const broken = await doctor();
  await writeFile(config, before);
  expect(broken).toMatchObject({ exitCode: 1, findings: [{ id: 'discard-unpacked-layers' }] });
});

const LIMIT_TEST = 'the mirrors stayed within 128 MiB';
test.skipIf(!HAS_MEMORY_CONTROLLER)(`${LIMIT_TEST} (needs a memory controller)`, () => {
  for (const [index, mirror] of startedMirrors().entries()) {
    const v1 = isVersion1(mirror);
    const limit = mirror.readCgroup('memory', v1 ? 'memory.limit_in_bytes' : 'memory.max');
    const events = mirror.readCgroup('memory', v1 ? 'memory.oom_control' : 'memory.events');
    const peak = Number(mirror.readCgroup('memory', v1 ? 'memory.max_usage_in_bytes' : 'memory.peak'));
    console.log(`n${index + 1}: peak ${(peak / MIB).toFixed(1)} MiB`);
    expect(Number(limit)).toBe(LIMIT_BYTES);
    expect(events).toMatch(/^oom_kill 0$/m);
    expect(mirror.running).toBe(true);
  }
});

test.skipIf(!HAS_MEMORY_CONTROLLER)(
  'the mirrors tell what they use of the 128 MiB (needs a memory controller)',
  async () => {
    for (const n of NODES) {
      const response = await fetchFrom(lab().node(n), MIRROR_PORTS.metrics, '/metrics');
      const metrics = parseMetrics(await response.text());
      const used = metrics.sum('spegel_memory_used_bytes');
      console.log(`n${n}: used ${(used / MIB).toFixed(1)} MiB`);
      expect(metrics.sum('spegel_memory_limit_bytes')).toBe(LIMIT_BYTES);
      expect(used).toBeGreaterThan(10 * MIB);
      expect(used).toBeLessThan(LIMIT_BYTES);
    }
  },
);

/** v1 has the limit in a file of another name. */
function isVersion1(mirror: Container): boolean {
  try {
    return mirror.readCgroup('memory', 'memory.limit_in_bytes') !== '';
  } catch {
    return false;
  }
}

test('SIGTERM ends a mirror with exit code 0', async () => {
  for (const mirror of startedMirrors()) {
    expect({ exitCode: await mirror.stop(), log: (await mirror.log()).slice(-2000) }).toMatchObject({
      exitCode: 0,
    });
  }
});

test('cleanup brings back what configure changed, and cleanup-wait sees that all are done', async () => {
  const cleanups: Container[] = [];
  for (const n of NODES) {
    const node = lab().node(n);
    const argv = ['/spegel', 'cleanup', '--addr=:8080', `--containerd-registry-config-path=${CONFIG_PATH}`];
    cleanups.push(
      await at(hosts, n).start({
        name: 'cleanup',
        argv,
        capabilities: WRITER_CAPABILITIES,
        mounts: [certsMount(node)],
      }),
    );
  }
  const waited = await at(hosts, 1).run({
    name: 'cleanup-wait',
    argv: ['/spegel', 'cleanup-wait', `--probe-endpoint=${DOMAIN}:8080`, '--threshold=2', '--period=100ms'],
  });
  expect(waited).toMatchObject({ exitCode: 0 });
  for (const n of NODES) {
    expect(await readTree(lab().node(n).containerd.paths.certsDir)).toBe(at(originals, n));
  }
  for (const each of cleanups) expect(await each.stop()).toBe(0);
});
