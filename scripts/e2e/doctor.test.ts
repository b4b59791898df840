import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Finding } from '../../src/doctor/finding.ts';
import { countMirrorRequests } from '../lab/mirror-counts.ts';
import { runCommand } from '../lab/run-command.ts';
import { createImage } from '../lab/test-image.ts';
import { untilFound } from '../lab/until-found.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { applyMend } from './apply-mend.ts';
import { waitFor } from '../lab/wait-for.ts';
import { containerdMajor, useLab } from './test-lab.ts';

const lab = useLab({ nodes: 2 });
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
const hostsFile = (folder: string) => join(node().containerd.paths.certsDir, folder, 'hosts.toml');

async function doctor(...args: readonly string[]) {
  const { containerd, mirror } = node();
  const { exitCode, stdout, stderr } = await mirror.run([
    'doctor',
    '--json',
    '--containerd-config',
    configFile(),
    '--containerd-sock',
    containerd.paths.socket,
    '--containerd-content-path',
    containerd.contentPath,
    '--containerd-registry-config-path',
    containerd.paths.certsDir,
    ...MIRRORED,
    ...args,
  ]);
  expect(stderr).toBe('');
  const { findings, unknown } = JSON.parse(stdout) as Report;
  return { exitCode, findings, unknown, ids: findings.map(({ id }) => id) };
}

let images = 0;

/** Pulls an image that no registry has: only the mirror can have got it. */
async function pullThroughMirror(): Promise<void> {
  images += 1;
  const name = `doctor${images}`;
  const image = createImage({ seed: `${name}-${lab().id}`, layers: [{ sizeBytes: 10_000 }] });
  await lab().node(1).importImage(image, `${REGISTRY}/${name}:v1`);
  await untilFound(node(), image, name, 'v1');
  const counted = await countMirrorRequests(node().mirror);
  await node().pull(`${REGISTRY}/${name}:v1`);
  expect((await counted()).hits).toBeGreaterThan(0);
  await node().verify(image);
}

async function editConfig(change: (text: string) => string): Promise<void> {
  const before = await readFile(configFile(), 'utf8');
  const after = change(before);
  expect(after).not.toBe(before);
  await writeFile(configFile(), after);
  await node().containerd.restart();
}

async function mend(finding: Finding | undefined): Promise<void> {
  if (finding === undefined) throw new Error('There is nothing to mend');
  await applyMend(finding, {
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
  await cp(join(backup, 'config.toml'), configFile());
  await rm(backup, { recursive: true });
  if (isChanged) await node().containerd.restart();
});

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

  /** What is broken, the finding that says so, and its mend makes containerd use the mirror again. */
  const BROKEN: ReadonlyArray<{
    readonly id: string;
    readonly when: string;
    readonly only?: 'old' | 'new';
    readonly break: () => Promise<void>;
    readonly args?: readonly string[];
    readonly seen?: RegExp;
  }> = [
    {
      id: 'config-path-unset',
      when: 'config_path is not there',
      only: 'old',
      break: async () => editConfig(withoutConfigPath),
      seen: /config\.toml.*not set/,
    },
    {
      id: 'config-path-unset',
      when: 'an imported file replaces the section that has it',
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
      only: 'old',
      break: async () => editConfig((text) => text.replace(/^config_path = .*$/m, 'config_path = ""')),
      seen: /config\.toml:\d+: .*config_path = ""/,
    },
    {
      id: 'config-path-list',
      when: 'the transfer service misreads a list',
      only: 'new',
      break: async () =>
        editConfig((text) =>
          text.replace(/^config_path = "(.*)"$/m, 'config_path = "$1:/etc/docker/certs.d"'),
        ),
      seen: /config\.toml:\d+: .*:\/etc\/docker\/certs\.d/,
    },
    {
      id: 'registry-mirrors',
      when: 'registry.mirrors is set in place of config_path',
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
      break: async () =>
        editConfig(
          (text) => `${text}[${isNew ? images2 : `${cri1}.containerd`}]\ndiscard_unpacked_layers = true\n`,
        ),
      seen: /config\.toml:\d+: discard_unpacked_layers = true/,
    },
    {
      id: 'hosts-missing',
      when: 'configure has not run',
      break: async () => rm(node().containerd.paths.certsDir, { recursive: true }),
    },
    {
      id: 'hosts-shadowed',
      when: 'a folder with the port in its other form hides ours',
      break: async () => {
        await mkdir(dirname(hostsFile('registry.lab_5000_')));
        await writeFile(hostsFile('registry.lab_5000_'), `server = "http://${REGISTRY}"\n`);
      },
    },
    {
      id: 'hosts-without-mirror',
      when: 'a folder hides _default',
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
      break: async () =>
        void (await runCommand([
          node().mirror.binary,
          'configure',
          '--containerd-registry-config-path',
          node().containerd.paths.certsDir,
          ...MIRRORED,
          '--mirror-targets',
          'http://127.0.0.1:5999',
        ])),
      args: ['--mirror-targets', 'http://127.0.0.1:5000'],
    },
    {
      id: 'default-with-server',
      when: '_default has a server',
      break: async () => {
        await mkdir(dirname(hostsFile('_default')));
        await writeFile(
          hostsFile('_default'),
          "server = 'https://cache.example'\n[host.'http://127.0.0.1:5000']\n",
        );
      },
      seen: /_default\/hosts\.toml:1: server/,
    },
  ];

  test.each(BROKEN.filter(({ only }) => only !== (isNew ? 'old' : 'new')))(
    'names $id when $when, and its mend works',
    async (broken) => {
      await broken.break();
      const { findings, exitCode } = await doctor(...(broken.args ?? []));
      const found = findings.find(({ id }) => id === broken.id);
      expect({ found: found?.id, all: findings }).toMatchObject({ found: broken.id });
      expect(exitCode).toBe(found?.severity === 'error' ? 1 : 3);
      if (broken.seen !== undefined) expect(found?.seen.join('\n')).toMatch(broken.seen);
      await mend(found);
      expect((await doctor(...(broken.args ?? []))).findings).toEqual([]);
      await pullThroughMirror();
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
  ])('names %s', async (id, args) => {
    expect((await doctor(...args)).ids).toContain(id);
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
