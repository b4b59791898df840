import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { chmod, copyFile, cp, mkdir, mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Finding } from '../../src/doctor/finding.ts';
import { doctorFlags } from '../lab/doctor-flags.ts';
import { type LabNode, nodeHost } from '../lab/lab-node.ts';
import { createCleanup } from '../lab/cleanup.ts';
import { startDaemon } from '../lab/daemon.ts';
import { parseMetrics } from '../lab/metrics.ts';
import { MIRROR_PORTS } from '../lab/mirror.ts';
import { countMirrorRequests } from '../lab/mirror-counts.ts';
import { runCommand, tryCommand } from '../lab/run-command.ts';
import { createSelfSignedCertificate } from '../lab/self-signed-certificate.ts';
import { createImage } from '../lab/test-image.ts';
import { contentPath, untilFound } from '../lab/until-found.ts';
import { REGISTRY } from '../lab/upstream.ts';
import type { CanaryOutcome, CanaryReport } from '../../src/canary/canary-result.ts';
import { applyFix } from './apply-fix.ts';
import { waitFor } from '../lab/wait-for.ts';
import { containerdMajor, useLab } from './test-lab.ts';

const lab = useLab({
  nodes: [
    {},
    {
      mirrorArgs: [
        '--canary-enabled=true',
        '--mirrored-registries',
        `http://${REGISTRY}`,
        'http://registry.lab',
      ],
    },
  ],
});
/** The node that is broken; the other one has the images. */
const node = () => lab().node(2);
/** True for containerd 2.x: some settings are silent in one of the two only. */
const isNew = containerdMajor() >= 2;

/** What `spegel doctor --json` prints, as far as it is looked at. */
interface Report {
  readonly findings: readonly Finding[];
  readonly unknown: readonly string[];
}

const MIRRORED = ['--mirrored-registries', `http://${REGISTRY}`, 'http://registry.lab'];
const configFile = () => join(dirname(node().containerd.paths.certsDir), 'config.toml');
/** A folder that config_path may name before ours. */
const earlierFolder = () => join(dirname(configFile()), 'earlier');
const hostsFile = (folder: string) => join(node().containerd.paths.certsDir, folder, 'hosts.toml');

async function doctor(...args: readonly string[]) {
  return doctorOn(node(), ...args);
}

async function doctorOn({ containerd, mirror }: LabNode, ...args: readonly string[]) {
  const { exitCode, stdout, stderr } = await mirror.run([
    'doctor',
    '--json',
    ...doctorFlags(containerd),
    ...MIRRORED,
    ...args,
  ]);
  expect(stderr).toBe('');
  const { findings, unknown } = JSON.parse(stdout) as Report;
  return { exitCode, findings, unknown, ids: findings.map(({ id }) => id) };
}

let images = 0;
let others = 0;

/** A new image, and the name that it has on this lab's registry. */
function nextImage() {
  images += 1;
  const name = `doctor${images}`;
  const image = createImage({ seed: `${name}-${lab().id}`, layers: [{ sizeBytes: 10_000 }] });
  return { name, image, reference: `${REGISTRY}/${name}:v1` };
}

/** Pulls an image that no registry has: only the mirror can have got it. */
async function pullThroughMirror(puller = node()): Promise<void> {
  const { name, image, reference } = nextImage();
  await lab().node(1).importImage(image, reference);
  await untilFound(puller, image, name, 'v1');
  const counted = await countMirrorRequests(puller.mirror);
  await puller.pull(reference);
  expect((await counted()).hits).toBeGreaterThan(0);
  await puller.verify(image);
}

/** Pulls an image that the mirror finds and the registry has: it comes from there, and nobody is told. */
async function pullBesideMirror(): Promise<void> {
  const { name, image, reference } = nextImage();
  await lab().upstream.push(image, name, 'v1');
  await lab().node(1).importImage(image, reference);
  await untilFound(node(), image, name, 'v1');
  const counted = await countMirrorRequests(node().mirror);
  // Without hosts.toml containerd 1.x takes a registry for one with TLS, which this one is not.
  await node()
    .pull(reference)
    .catch(() => {});
  expect(await counted()).toEqual({ hits: 0, misses: 0 });
}

/** Pushes an image to the lab's registry, and names it as if it was another one's. */
async function pushNext(registry: string): Promise<string> {
  const { name, image } = nextImage();
  await lab().upstream.push(image, name, 'v1');
  return `${registry}/${name}:v1`;
}

/** What the canary shows of the node, as soon as it may run. */
async function canaryOutcome(): Promise<CanaryOutcome> {
  const report = await waitFor(
    'a run of the canary',
    async () => {
      const url = `http://${node().endpoint.ipv4}:${MIRROR_PORTS.metrics}/debug/canary`;
      const answer = await lab().http.fetch(url, { method: 'POST', signal: AbortSignal.timeout(40_000) });
      return answer.ok ? ((await answer.json()) as CanaryReport).last : undefined;
    },
    { timeoutMs: 60_000, intervalMs: 500 },
  );
  return report.outcome;
}

/** Pulls an image from its registry, and from the node that is looked at by another one. */
async function serveThroughMirror(): Promise<void> {
  const { name, image, reference } = nextImage();
  await lab().upstream.push(image, name, 'v1');
  await node().pull(reference);
  await lab().upstream.cut('refuse');
  try {
    await untilFound(lab().node(1), image, name, 'v1');
    await lab().node(1).pull(reference);
    await lab().node(1).verify(image);
  } finally {
    await lab().upstream.restore();
  }
}

/** Pulls an image from its registry, after which the node cannot serve its layers. */
async function pullWithoutLayers(): Promise<void> {
  const { name, image, reference } = nextImage();
  await lab().upstream.push(image, name, 'v1');
  await node().pull(reference);
  const layer = image.blobs.find(({ kind }) => kind === 'layer');
  if (layer === undefined) throw new Error('The image has no layer');
  const headers = { 'X-Spegel-Mirrored': 'true' };
  await waitFor('containerd to have removed the layer', async () => {
    const answer = await node().mirror.fetch(contentPath(name, layer), { method: 'HEAD', headers });
    return answer.status === 404;
  });
}

async function editConfig(change: (text: string) => string): Promise<void> {
  const before = await readFile(configFile(), 'utf8');
  const after = change(before);
  expect(after).not.toBe(before);
  await writeFile(configFile(), after);
  await node().containerd.restart();
}

/** Runs `spegel configure` on the node that is looked at. */
async function configureFor(target: string): Promise<void> {
  const { certsDir } = node().containerd.paths;
  const folder = ['--containerd-registry-config-path', certsDir];
  await runCommand([node().mirror.binary, 'configure', ...folder, ...MIRRORED, '--mirror-targets', target]);
}

/**
 * Does what a finding says. With a port its note is a command line for it, in which the port is left open. On a machine that
 * has a kubelet the port is left open in other commands, too: a chart may have mapped it.
 */
async function fix(finding: Finding | undefined, port?: number): Promise<void> {
  if (finding === undefined) throw new Error('There is nothing to fix');
  if (port !== undefined) {
    expect(JSON.stringify(finding.fix)).toContain('spegel configure --mirror-targets ');
    await configureFor(`http://127.0.0.1:${port}`);
    return;
  }
  const isAboutPort = (step: Finding['fix'][number]) =>
    step.do === 'note' && step.text.startsWith('<port> is ');
  const steps = finding.fix.filter((step) => !isAboutPort(step));
  const done = JSON.stringify(steps).replaceAll('<port>', String(MIRROR_PORTS.registry));
  const filledIn: Finding = { ...finding, fix: JSON.parse(done) as Finding['fix'] };
  await applyFix(filledIn, {
    restartContainerd: async () => node().containerd.restart(),
    spegel: async (args) => void (await runCommand([node().mirror.binary, ...args])),
  });
}

/** What the node was like before it was broken. */
let backup: string;

beforeEach(async () => {
  const { certsDir } = node().containerd.paths;
  backup = join(dirname(certsDir), 'before');
  await cp(certsDir, join(backup, 'certs.d'), { recursive: true });
  await cp(configFile(), join(backup, 'config.toml'));
});

afterEach(async () => {
  const { certsDir } = node().containerd.paths;
  await rm(certsDir, { recursive: true, force: true });
  await cp(join(backup, 'certs.d'), certsDir, { recursive: true });
  const isChanged =
    (await readFile(configFile(), 'utf8')) !== (await readFile(join(backup, 'config.toml'), 'utf8'));
  // Not otherwise: it would be newer than the containerd that reads it.
  if (isChanged) await cp(join(backup, 'config.toml'), configFile());
  await rm(backup, { recursive: true });
  await rm(earlierFolder(), { recursive: true, force: true });
  if (isChanged) await node().containerd.restart();
});

/** Where the second mirror is. */
const OTHER = ['--addr', '127.0.0.1:9590'];
const TLS_FRONT = fileURLToPath(import.meta.resolve('../lab/tls-front-process.ts'));
const FINDINGS = 'spegel_doctor_findings';
const LAST_CHECK = 'spegel_doctor_last_check_timestamp_seconds';
/** As many as doctor takes for no chance. */
const MANY_MISSES = 100;
/** More than the error of a process's start. */
const LATER_MS = 4000;

const withoutConfigPath = (text: string) => text.replace(/^config_path = .*\n/m, '');
const images2 = 'plugins."io.containerd.cri.v1.images"';
const cri1 = 'plugins."io.containerd.grpc.v1.cri"';

describe('spegel doctor', () => {
  test('finds nothing on a healthy node, and exits with 0', async () => {
    await pullThroughMirror();
    expect(await doctor()).toEqual({ exitCode: 0, findings: [], unknown: [], ids: [] });
    const text = await node().mirror.run(['doctor', '--host-root', '/nonexistent']);
    expect(text.exitCode).toBe(1);
    expect(text.stdout).toContain('ERROR containerd-unreachable');
  });

  test('tells what another user than root may not look at from what is not there', async () => {
    const { containerd, endpoint, mirror } = node();
    // The repository may be below /root, which that user may not enter, and the runtime wants to know where it is.
    const programs = await mkdtemp(join(tmpdir(), 'spegel-doctor-'));
    const binary = join(programs, 'spegel');
    const asNobody = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];
    const look = async (socket: string) => {
      const paths = {
        '--containerd-sock': socket,
        '--containerd-content-path': containerd.contentPath,
        '--containerd-config': configFile(),
        '--containerd-registry-config-path': containerd.paths.certsDir,
      };
      const command = [binary, 'doctor', '--json', ...Object.entries(paths).flat()];
      const entered = [...endpoint.namespace.enter, ...asNobody, ...command];
      const { stdout } = await tryCommand(entered, { cwd: programs });
      const { findings, unknown } = JSON.parse(stdout) as Report;
      return { ids: findings.map(({ id }) => id), unknown: unknown.join('\n') };
    };
    const folder = dirname(configFile());
    const { mode } = await stat(folder);
    // As with the usual /etc/containerd and /var/lib/containerd of a host, which only root may read.
    await chmod(folder, 0o700);
    try {
      await chmod(programs, 0o755);
      await copyFile(mirror.binary, binary);
      const { ids, unknown } = await look(containerd.paths.socket);
      expect(ids).toEqual([]);
      expect(unknown).toContain(`this user may not connect to ${containerd.paths.socket}; run as root`);
      expect(unknown).toContain(`this user may not read ${configFile()}; run as root`);
      expect(unknown).toContain(`${containerd.paths.certsDir} was not looked at: this user may not`);
      expect(unknown).toContain("containerd's process was not looked at, as this user may not look at it");
      expect((await look('/nonexistent.sock')).ids).toContain('containerd-unreachable');
    } finally {
      await chmod(folder, mode);
      await rm(programs, { recursive: true, force: true });
    }
  });

  /** What is broken, what nobody notices of it, the finding that says so; and its fix makes the mirror be used again. */
  const BROKEN: ReadonlyArray<{
    readonly id: string;
    readonly when: string;
    readonly only?: 'old' | 'new';
    readonly break: () => Promise<void>;
    /** Rejects if the node works all the same. */
    readonly symptom?: () => Promise<void>;
    /** Rejects unless the node works. Default: it pulls through the mirror. */
    readonly works?: () => Promise<void>;
    readonly args?: readonly string[];
    readonly seen?: RegExp;
    /** Where the mirror listens, for a fix that cannot know it. */
    readonly port?: number;
  }> = [
    {
      id: 'config-path-unset',
      when: 'config_path is not there',
      symptom: pullBesideMirror,
      only: 'old',
      break: async () => editConfig(withoutConfigPath),
      seen: /config\.toml.*not set/,
    },
    {
      id: 'config-path-unset',
      when: 'an imported file replaces the section that has it',
      symptom: pullBesideMirror,
      only: 'old',
      break: async () => {
        const file = join(dirname(configFile()), 'import.toml');
        await writeFile(file, `version = 2\n[${cri1}]\nstream_server_port = "0"\n`);
        await editConfig((text) => `imports = [${JSON.stringify(file)}]\n${text}`);
      },
      seen: /does not count: .*import\.toml has a section of this plugin too/,
    },
    {
      id: 'config-path-unset',
      when: 'it is empty in a file of version 2',
      symptom: pullBesideMirror,
      only: 'old',
      break: async () => editConfig((text) => text.replace(/^config_path = .*$/m, 'config_path = ""')),
      seen: /config\.toml:\d+: .*config_path = ""/,
    },
    {
      id: 'config-path-list',
      when: 'the transfer service misreads a list',
      symptom: pullBesideMirror,
      only: 'new',
      break: async () =>
        editConfig((text) =>
          text.replace(/^config_path = "(.*)"$/m, 'config_path = "$1:/etc/docker/certs.d"'),
        ),
      seen: /config\.toml:\d+: .*:\/etc\/docker\/certs\.d/,
    },
    {
      id: 'config-path-list',
      when: "config_path is not there, and containerd's own default is a list",
      only: 'new',
      symptom: pullBesideMirror,
      break: async () => editConfig(withoutConfigPath),
      seen: /config\.toml: .*certs\.d:.*not set; this is the default/,
    },
    {
      id: 'registry-mirrors',
      when: 'registry.mirrors is set in place of config_path',
      symptom: pullBesideMirror,
      break: async () =>
        editConfig(
          (text) =>
            `${withoutConfigPath(text)}[${isNew ? images2 : cri1}.registry.mirrors."docker.io"]\nendpoint = ["https://cache.example"]\n`,
        ),
      seen: /config\.toml:\d+: /,
    },
    {
      id: 'registry-configs',
      when: 'registry.configs is set',
      break: async () =>
        editConfig(
          (text) =>
            `${text}[${isNew ? images2 : cri1}.registry.configs."cache.example".auth]\nusername = "a"\npassword = "b"\n`,
        ),
    },
    {
      id: 'discard-unpacked-layers',
      when: 'discard_unpacked_layers is true',
      symptom: pullWithoutLayers,
      works: serveThroughMirror,
      break: async () =>
        editConfig(
          (text) => `${text}[${isNew ? images2 : `${cri1}.containerd`}]\ndiscard_unpacked_layers = true\n`,
        ),
      seen: /config\.toml:\d+: discard_unpacked_layers = true/,
    },
    {
      id: 'lazy-snapshotter',
      when: 'images are unpacked by a snapshotter that may not store layers',
      // There is no such snapshotter in the lab: pulls fail.
      works: serveThroughMirror,
      break: async () =>
        editConfig(
          (text) =>
            `${text}[${isNew ? images2 : `${cri1}.containerd`}]\nsnapshotter = "stargz"\n[proxy_plugins.stargz]\ntype = "snapshot"\naddress = "/nonexistent/stargz.sock"\n`,
        ),
      seen: /config\.toml:\d+: snapshotter = "stargz"/,
    },
    {
      id: 'config-path-shadowed',
      when: 'a folder that config_path names first has the registry',
      symptom: pullBesideMirror,
      break: async () => {
        const folder = join(earlierFolder(), REGISTRY);
        await mkdir(folder, { recursive: true });
        await writeFile(join(folder, 'hosts.toml'), `server = "http://${REGISTRY}"\n`);
        await editConfig((text) =>
          text
            .replace(/^config_path = "(.*)"$/m, `config_path = "${earlierFolder()}:$1"`)
            // The transfer service of 2.x would not read a list at all.
            .concat(isNew ? `[${images2}]\nuse_local_image_pull = true\n` : ''),
        );
      },
      seen: /earlier\/registry\.lab:5000\/hosts\.toml/,
    },
    {
      id: 'containerd-not-restarted',
      when: 'config_path was set and the process goes on without it',
      symptom: pullBesideMirror,
      break: async () => {
        const right = await readFile(configFile(), 'utf8');
        await editConfig(withoutConfigPath);
        await writeFile(configFile(), right);
        // As if that was later: the times of processes are known to the second.
        const laterMs = Date.now() + LATER_MS;
        await utimes(configFile(), new Date(laterMs), new Date(laterMs));
        await waitFor('that time', () => Date.now() > laterMs);
      },
      seen: /config\.toml: changed .*\n.*started /,
    },
    {
      id: 'hosts-mirror-unusable',
      when: 'the mirror is asked at another path',
      symptom: pullBesideMirror,
      break: async () => {
        const text = await readFile(hostsFile(REGISTRY), 'utf8');
        await writeFile(hostsFile(REGISTRY), text.replace(/^(\[host\..*\])$/m, '$1\noverride_path = true'));
      },
      seen: /override_path is true/,
    },
    {
      id: 'hosts-missing',
      when: 'configure has not run',
      symptom: pullBesideMirror,
      break: async () => rm(node().containerd.paths.certsDir, { recursive: true }),
    },
    {
      id: 'hosts-shadowed',
      when: 'a folder with the port in its other form hides ours',
      symptom: pullBesideMirror,
      break: async () => {
        await mkdir(dirname(hostsFile('registry.lab_5000_')));
        await writeFile(hostsFile('registry.lab_5000_'), `server = "http://${REGISTRY}"\n`);
      },
    },
    {
      id: 'hosts-without-mirror',
      when: 'a folder hides _default',
      symptom: pullBesideMirror,
      break: async () => {
        await mkdir(dirname(hostsFile('_default')));
        await cp(hostsFile('registry.lab'), hostsFile('_default'));
        await writeFile(hostsFile('_default'), "[host.'http://127.0.0.1:5000']\n");
        await writeFile(hostsFile(REGISTRY), `server = "http://${REGISTRY}"\n`);
      },
      args: ['--mirror-targets', 'http://127.0.0.1:5000'],
    },
    {
      id: 'hosts-stale',
      when: 'hosts.toml was written for another target',
      symptom: pullBesideMirror,
      break: async () => configureFor('http://127.0.0.1:5999'),
      args: ['--mirror-targets', 'http://127.0.0.1:5000'],
    },
    {
      id: 'target-unreachable',
      when: 'hosts.toml sends pulls to a port where nothing is',
      symptom: pullBesideMirror,
      break: async () => configureFor('http://127.0.0.1:5999'),
      seen: /GET http:\/\/127\.0\.0\.1:5999\/readyz: /,
      port: 5000,
    },
    {
      id: 'target-not-spegel',
      when: 'hosts.toml sends pulls to another server',
      symptom: pullBesideMirror,
      break: async () => configureFor(`http://127.0.0.1:${MIRROR_PORTS.metrics}`),
      seen: /9090\/readyz: 404/,
      port: 5000,
    },
    {
      id: 'default-with-server',
      when: '_default has a server',
      // An image of a registry that does not exist is another one's.
      symptom: async () =>
        node()
          .pull(await pushNext('elsewhere.lab'))
          .then(() => {}),
      works: async () => {
        const pulled = await node()
          .pull(await pushNext('elsewhere.lab'))
          .catch(() => 'failed');
        expect(pulled).toBe('failed');
        await pullThroughMirror();
      },
      break: async () => {
        await mkdir(dirname(hostsFile('_default')));
        await writeFile(
          hostsFile('_default'),
          `server = 'http://${REGISTRY}'\n[host.'http://127.0.0.1:5000']\n`,
        );
      },
      seen: /_default\/hosts\.toml:1: server/,
    },
  ];

  test.each(BROKEN.filter(({ only }) => only !== (isNew ? 'old' : 'new')))(
    'names $id when $when, and its fix works',
    async (broken) => {
      // So that the mirror has a use to compare with, and no hits are missing.
      await pullThroughMirror();
      await broken.break();
      await broken.symptom?.();
      if (broken.symptom === pullBesideMirror) expect(await canaryOutcome()).toBe('not-used');
      const { findings, exitCode } = await doctor(...(broken.args ?? []));
      const found = findings.find(({ id }) => id === broken.id);
      expect({ found: found?.id, all: findings }).toMatchObject({ found: broken.id });
      const codes = { error: 1, warning: 3, info: 0 };
      expect(exitCode).toBe(codes[found?.severity ?? 'error']);
      if (broken.seen !== undefined) expect(found?.seen.join('\n')).toMatch(broken.seen);
      await fix(found, broken.port);
      expect((await doctor(...(broken.args ?? []))).findings).toEqual([]);
      await (broken.works ?? pullThroughMirror)();
      if (broken.symptom === pullBesideMirror) expect(await canaryOutcome()).toBe('used');
    },
  );

  test.each([
    ['config-path-mismatch', ['--containerd-registry-config-path', '/etc/elsewhere']],
    ['content-path-wrong', ['--containerd-content-path', '/etc']],
    ['content-unreadable', ['--containerd-content-path', '/nonexistent']],
    ['namespace-empty', ['--containerd-namespace', 'nobody']],
    ['containerd-unreachable', ['--containerd-sock', '/nonexistent']],
    ['config-of-another-containerd', ['--containerd-sock', '/nonexistent']],
    ['daemon-unreachable', ['--addr', '127.0.0.1:9']],
    ['target-unreachable', ['--mirror-targets', 'http://127.0.0.1:9']],
    ['target-not-spegel', ['--mirror-targets', 'http://127.0.0.1:9090']],
    ['peers-unreachable', ['--registry-addr', ':9']],
  ])('names %s, and no more with the flags that its fix has', async (id, args) => {
    const { findings } = await doctor(...args);
    const { fix = [] } = findings.find((finding) => finding.id === id) ?? {};
    expect(findings.map(({ id }) => id)).toContain(id);
    const lines = fix.flatMap((step) => (step.do === 'note' ? (step.lines ?? []) : []));
    const flags = lines.filter((line) => line.startsWith('--')).flatMap((line) => line.split(' '));
    if (flags.length > 0) expect((await doctor(...flags)).findings).toEqual([]);
  });

  test('names hosts-invalid for a hosts.toml that containerd ignores', async () => {
    await writeFile(hostsFile(REGISTRY), 'server = \n');
    const { findings } = await doctor();
    expect(findings.find(({ id }) => id === 'hosts-invalid')?.seen.join()).toContain('line 1');
  });

  test('names mirror-not-asked when containerd has pulled and the mirror knows nothing of it', async () => {
    const image = createImage({ seed: `unasked-${lab().id}`, layers: [{ sizeBytes: 10_000 }] });
    await lab().upstream.push(image, 'unasked', 'v1');
    await node().mirror.restart();
    await rm(hostsFile('registry.lab'));
    const startedSeconds = (await node().mirror.metrics()).sum('process_start_time_seconds');
    // Both are counted in whole seconds.
    await waitFor('the next second', () => Date.now() / 1000 > startedSeconds + 1.5);
    await node().pull('registry.lab/unasked:v1');
    const { ids } = await doctor();
    expect(ids).toContain('mirror-not-asked');
    await lab().node(2).removeImage(image);
  });

  test('names hosts-certificate-missing, with which pulls fail until the line is gone', async () => {
    const text = await readFile(hostsFile(REGISTRY), 'utf8');
    await writeFile(hostsFile(REGISTRY), text.replace(/^(\[host\..*\])$/m, "$1\nca = 'gone.crt'"));
    const { findings } = await doctor();
    expect(findings).toMatchObject([
      { id: 'hosts-certificate-missing', seen: [expect.stringContaining(`${REGISTRY}/gone.crt`)] },
    ]);
    expect(await pullThroughMirror().catch(() => 'failed')).toBe('failed');
    await writeFile(hostsFile(REGISTRY), text);
    expect((await doctor()).findings).toEqual([]);
    await pullThroughMirror();
  });

  test('asks a target over TLS as its section says', async () => {
    await pullThroughMirror();
    const { certificate, privateKey } = createSelfSignedCertificate('localhost');
    const folder = dirname(configFile());
    const file = (name: string) => join(folder, name);
    await writeFile(file('tls.crt'), certificate);
    await writeFile(file('tls.key'), privateKey);
    await writeFile(file('other.crt'), createSelfSignedCertificate('localhost').certificate);
    const cleanup = createCleanup();
    const front = startDaemon(
      { cleanup, namespace: node().endpoint.namespace },
      {
        name: 'TLS before the mirror',
        logPath: file('tls.log'),
        argv: [process.execPath, TLS_FRONT, '5443', '5000', file('tls.crt'), file('tls.key')],
      },
    );
    try {
      await waitFor('the TLS front', async () => (await front.log()).includes('listening'));
      const write = async (settings: string) =>
        writeFile(
          hostsFile(REGISTRY),
          `server = "http://${REGISTRY}"\n[host.'https://localhost:5443']\ncapabilities = ['pull', 'resolve']\n${settings}\n`,
        );
      const args = ['--mirror-targets', 'https://localhost:5443'];
      await rm(hostsFile('registry.lab'));

      await write(`ca = '${file('other.crt')}'`);
      expect((await doctor(...args)).ids).toEqual(['target-unreachable']);
      await write(`ca = '${file('tls.crt')}'`);
      expect((await doctor(...args)).findings).toEqual([]);
      await pullThroughMirror();
      await write('skip_verify = true');
      expect((await doctor(...args)).findings).toEqual([]);
      await pullThroughMirror();
    } finally {
      await front.stop();
      cleanup.run();
    }
  });

  test('names mirror-refuses-containerd until configure has the password too', async () => {
    await pullThroughMirror();
    const secret = join(dirname(configFile()), 'secret');
    await mkdir(secret, { recursive: true });
    await writeFile(join(secret, 'username'), 'node');
    await writeFile(join(secret, 'password'), 'secret');
    await using other = startOther('--bootstrap-kind', 'static', '--basic-auth-dir', secret);
    await other.answers();
    const folder = ['--containerd-registry-config-path', node().containerd.paths.certsDir];
    const target = ['--mirror-targets', 'http://127.0.0.1:5500'];
    const configure = async (...args: readonly string[]) =>
      node().mirror.run(['configure', ...folder, ...MIRRORED, ...target, ...args]);
    await configure();
    const { findings } = await doctor();
    expect(findings).toMatchObject([
      {
        id: 'mirror-refuses-containerd',
        seen: ['GET http://127.0.0.1:5500/v2/ with no password in hosts.toml: 401'],
      },
    ]);
    await configure('--basic-auth-dir', secret);
    expect((await doctor()).findings).toEqual([]);
  });

  test('names mirror-through-proxy, and NO_PROXY as its fix has it is enough', async () => {
    /** A node that has an image and asks the mirror at its own address. */
    const startBehindProxy = async (noProxy: string) => {
      const containerdEnv = { HTTP_PROXY: 'http://127.0.0.1:9', NO_PROXY: noProxy };
      const puller = await lab().addNode({ containerdEnv });
      const { certsDir } = puller.containerd.paths;
      const configure = ['configure', '--containerd-registry-config-path', certsDir, ...MIRRORED];
      await puller.mirror.run([...configure, '--mirror-targets', `http://${puller.endpoint.ipv4}:5000`]);
      const image = createImage({ seed: `own-${lab().id}-${noProxy}`, layers: [{ sizeBytes: 1000 }] });
      await puller.importImage(image, 'registry.lab/own:v1');
      return puller;
    };
    const broken = await startBehindProxy('registry.lab');
    const { findings } = await doctorOn(broken);
    expect(findings.map(({ id }) => id)).toEqual(['mirror-through-proxy']);
    expect(await pullThroughMirror(broken).catch(() => 'failed')).toBe('failed');

    const [step] = findings[0]?.fix ?? [];
    const text = step?.do === 'write' ? step.lines.join('\n') : '';
    const noProxy = /"NO_PROXY=([^"]*)"/.exec(text)?.[1] ?? '';
    expect(noProxy).toBe(`registry.lab,${broken.endpoint.ipv4}`);
    const next = nodeHost(lab().nodes.length + 1).ipv4;
    const fixed = await startBehindProxy(noProxy.replace(broken.endpoint.ipv4, next));
    expect((await doctorOn(fixed)).findings).toEqual([]);
    await pullThroughMirror(fixed);
  });

  test('names daemon-without-containerd until containerd is back', async () => {
    const isConnected = async () => (await node().mirror.metrics()).sum('spegel_containerd_connected') === 1;
    await node().containerd.stop();
    await waitFor('the mirror to notice', async () => !(await isConnected()));
    const { ids } = await doctor();
    expect(ids).toEqual(expect.arrayContaining(['daemon-without-containerd', 'containerd-unreachable']));
    await node().containerd.start();
    await waitFor('the mirror to be connected', isConnected, { timeoutMs: 30_000 });
    expect((await doctor()).findings).toEqual([]);
  });

  test('names mirror-without-hits until there is one', async () => {
    await node().mirror.restart();
    const path = (n: number) => `/v2/none/blobs/sha256:${String(n).padStart(64, '0')}?ns=${REGISTRY}`;
    for (let n = 0; n < MANY_MISSES; n += 1) expect((await node().mirror.fetch(path(n))).status).toBe(404);
    const { findings, exitCode } = await doctor();
    expect(findings).toMatchObject([
      { id: 'mirror-without-hits', seen: [expect.stringContaining(`hit 0, miss ${MANY_MISSES}`)] },
    ]);
    expect(exitCode).toBe(3);
    await pullThroughMirror();
    expect((await doctor()).findings).toEqual([]);
  });

  test('names daemon-not-ready and no-peers until the bootstrap leads somewhere', async () => {
    await pullThroughMirror();
    const nobody = `/ip4/${lab().node(1).endpoint.ipv4}/tcp/9/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA`;
    // After some seconds alone it counts as ready: on a slow machine that may be over before doctor looks.
    await waitFor(
      'a look in time',
      async () => {
        await using lost = startOther('--bootstrap-kind', 'static', '--static-bootstrap-peers', nobody);
        await lost.answers();
        const { ids } = await doctor(...OTHER);
        expect(ids).toContain('no-peers');
        return ids.includes('daemon-not-ready');
      },
      { timeoutMs: 90_000 },
    );

    await using alone = startOther('--bootstrap-kind', 'static');
    // It may be ready before it has reached containerd.
    const untilFound = async (ids: readonly string[]) =>
      waitFor(`doctor to find ${ids.join(' ') || 'nothing'}`, async () =>
        Bun.deepEquals((await doctor(...OTHER)).ids, ids),
      );
    await waitFor('it to be ready', async () => alone.isReady());
    await untilFound(['no-peers']);
    await alone.stop();

    const seed = `http://${lab().node(1).endpoint.ipv4}:${MIRROR_PORTS.bootstrap}`;
    await using fixed = startOther('--bootstrap-kind', 'http', '--http-bootstrap-peer', seed);
    await waitFor('it to be ready', async () => fixed.isReady());
    await untilFound([]);
  });

  test('names daemon-unreachable and target-unreachable while the daemon is away', async () => {
    await node().mirror.stop();
    try {
      const { ids } = await doctor();
      expect(ids).toEqual(expect.arrayContaining(['daemon-unreachable', 'target-unreachable']));
    } finally {
      await node().mirror.launch();
      await node().mirror.ready();
    }
  });
});

describe('spegel registry', () => {
  test('logs and counts what the files of the node have, and that it is fixed', async () => {
    await using daemon = startOther('--bootstrap-kind', 'static');
    await waitFor('a first look', async () => (await daemon.metric(LAST_CHECK)) > 0, { timeoutMs: 30_000 });
    expect(await daemon.lines('this node needs fixing')).toEqual([]);
    expect(await daemon.metric(FINDINGS)).toBe(0);

    await editConfig(
      (text) => `${text}[${isNew ? images2 : `${cri1}.containerd`}]\ndiscard_unpacked_layers = true\n`,
    );
    await waitFor('the finding', async () => (await daemon.metric(FINDINGS)) > 0, { timeoutMs: 30_000 });
    const labels = { code: 'discard-unpacked-layers', severity: 'error' };
    expect(await daemon.metric(FINDINGS, labels)).toBe(1);
    expect(await daemon.lines('this node needs fixing')).toMatchObject([
      {
        level: 'ERROR',
        code: 'discard-unpacked-layers',
        seen: [expect.stringMatching(/config\.toml:\d+/)],
        fix: [expect.stringContaining('discard_unpacked_layers = false'), 'systemctl restart containerd'],
      },
    ]);
    await fix((await doctor()).findings.find(({ id }) => id === 'discard-unpacked-layers'));
    await waitFor('it to be gone', async () => (await daemon.metric(FINDINGS)) === 0, { timeoutMs: 30_000 });
    expect(await daemon.lines('this node was fixed')).toHaveLength(1);
  });

  test('says once where it cannot look, and finds nothing there', async () => {
    await using daemon = startOther('--bootstrap-kind', 'static', '--host-root', '/nonexistent');
    const message = "part of this node's configuration is not looked at";
    const lines = await waitFor(
      'the lines',
      async () => {
        const lines = await daemon.lines(message);
        return lines.length > 0 ? lines : undefined;
      },
      { timeoutMs: 30_000 },
    );
    expect(lines.map(({ reason }) => reason)).toEqual([
      expect.stringContaining('mount what is there below --host-root'),
      expect.stringContaining('mount it below --host-root'),
    ]);
    expect(await daemon.metric(LAST_CHECK)).toBe(0);
    expect(await daemon.lines('this node needs fixing')).toEqual([]);
  });
});

/** Starts a second mirror beside the node's own one, on other ports. */
function startOther(...args: readonly string[]) {
  const { containerd, mirror, endpoint } = node();
  const cleanup = createCleanup();
  others += 1;
  const daemon = startDaemon(
    { cleanup, namespace: endpoint.namespace },
    {
      name: 'another mirror',
      logPath: join(dirname(configFile()), `other${others}.log`),
      argv: [
        mirror.binary,
        'registry',
        '--registry-addr',
        ':5500',
        '--router-addr',
        ':5501',
        '--metrics-addr',
        ':9590',
        '--containerd-sock',
        containerd.paths.socket,
        '--containerd-content-path',
        containerd.contentPath,
        '--containerd-registry-config-path',
        containerd.paths.certsDir,
        ...MIRRORED,
        ...args,
      ],
    },
  );
  const get = async (port: number, path: string) =>
    lab().http.fetch(`http://${endpoint.ipv4}:${port}${path}`, { signal: AbortSignal.timeout(1000) });
  const metrics = async () => parseMetrics(await (await get(9590, '/metrics')).text());
  return {
    /** Resolves once its metrics can be read. */
    answers: async () => waitFor('its metrics', async () => (await get(9590, '/metrics')).ok),
    isReady: async () => (await get(5500, '/readyz')).ok,
    metric: async (name: string, labels?: Readonly<Record<string, string>>) =>
      (await metrics()).sum(name, labels),
    lines: async (message: string) =>
      (await daemon.log())
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
        .filter(({ msg }) => msg === message),
    stop: async () => daemon.stop(),
    [Symbol.asyncDispose]: async () => {
      await daemon.stop();
      cleanup.run();
    },
  };
}
