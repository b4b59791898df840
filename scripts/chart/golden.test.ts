import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cleanupFlags, cleanupWaitFlags } from '../../src/cli/cleanup-flags.ts';
import { globalFlags } from '../../src/cli/command-table.ts';
import { configureFlags } from '../../src/cli/configure-flags.ts';
import { doctorFlags, doctorOptions } from '../../src/cli/doctor-flags.ts';
import { environmentName, flagName, type FlagTable, readFlags } from '../../src/cli/flag.ts';
import { registryFlags } from '../../src/cli/registry-flags.ts';
import { runCli } from '../../src/cli.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { readChartValues } from '../docs/chart-values.ts';
import { CHART_CASES } from './chart-cases.ts';
import { readGolden } from './golden-files.ts';
import { PLACEHOLDER_IMAGE } from './kustomize-base.ts';
import { type Manifest, manifestKey, parseManifests } from './manifest.ts';
import { CHART, REPOSITORY } from './render-chart.ts';
import { validateManifest } from './validate-manifest.ts';

// What helm made of the chart, without helm.

interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly env?: ReadonlyArray<{ readonly name: string; readonly value?: string }>;
  readonly volumeMounts?: ReadonlyArray<{
    readonly name: string;
    readonly mountPath: string;
    readonly mountPropagation?: string;
  }>;
}
interface Pod {
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
}
/** A JSON schema, as far as it names what is in an object. */
interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
}
interface Spec {
  readonly selector?: object;
  readonly template?: { readonly spec: Pod };
}

const read = async (name: string) => parseManifests(await readGolden(name));
const specOf = (manifests: readonly Manifest[], key: string) =>
  manifests.find((manifest) => manifestKey(manifest) === key)?.['spec'] as Spec | undefined;
const containersOf = (spec: Spec | undefined) => {
  const pod = spec?.template?.spec;
  return [...(pod?.initContainers ?? []), ...(pod?.containers ?? [])];
};
const containerOf = (manifests: readonly Manifest[], key: string, name: string) =>
  containersOf(specOf(manifests, key)).find((container) => container.name === name);
const cases = Object.keys(CHART_CASES);
/** A text of manifests, by what it is. */
type Rendered = readonly [what: string, read: () => Promise<string>];
const golden = cases.map((name): Rendered => [name, async () => readGolden(name)]);
const kustomize = (...names: readonly string[]) =>
  names.map((name): Rendered => {
    const path = join(REPOSITORY, 'deploy/kustomize', name);
    return [path, async () => readFile(path, 'utf8')];
  });

describe('the rendered chart', () => {
  test.each([...golden, ...kustomize('namespace.yaml', 'spegel.yaml', 'cleanup/cleanup.yaml')])(
    '%s is what the API server takes',
    async (_what, text) => {
      const manifests = parseManifests(await text());
      expect(manifests.length).toBeGreaterThan(0);
      const wrong = manifests.flatMap((manifest) =>
        validateManifest(manifest).map((message) => `${manifestKey(manifest)} ${message}`),
      );
      expect(wrong).toEqual([]);
    },
  );

  // Where the node's / or /run is a private mount, a container that asks for any propagation is not created.
  test.each([...golden, ...kustomize('spegel.yaml', 'cleanup/cleanup.yaml')])(
    '%s asks for no mount propagation',
    async (_what, text) => {
      const manifests = parseManifests(await text());
      const mounts = manifests.flatMap(({ spec }) =>
        containersOf(spec as Spec | undefined).flatMap(({ volumeMounts = [] }) => volumeMounts),
      );
      expect(mounts.length).toBeGreaterThan(0);
      expect(mounts.filter(({ mountPropagation = 'None' }) => mountPropagation !== 'None')).toEqual([]);
    },
  );

  // They cannot be changed, so an upgrade of a release of Spegel's chart needs the same.
  test.each<[name: string, prefix: string, labels: object]>([
    ['default', 'spegel', { 'app.kubernetes.io/name': 'spegel', 'app.kubernetes.io/instance': 'spegel' }],
    ['names', 'pulls-mirror', { 'app.kubernetes.io/name': 'mirror', 'app.kubernetes.io/instance': 'pulls' }],
    [
      'without-mirror-configuration',
      'p2p',
      { 'app.kubernetes.io/name': 'spegel', 'app.kubernetes.io/instance': 'spegel' },
    ],
  ])('the names and selectors of %s are those of Spegel', async (name, prefix, labels) => {
    const manifests = await read(name);
    const all = { 'app.kubernetes.io/component': 'spegel', ...labels };
    expect(specOf(manifests, `DaemonSet/${prefix}`)?.selector).toEqual({ matchLabels: all });
    for (const service of ['', '-registry', '-bootstrap']) {
      expect(specOf(manifests, `Service/${prefix}${service}`)?.selector).toEqual(all);
    }
  });

  test('untouched values of Spegel give what the defaults give', async () => {
    expect(await read('untouched-v0.7.4')).toEqual(await read('default'));
  });

  test.each<[name: string, targets: string[]]>([
    ['default', ['http://$(NODE_IP):30020', 'http://$(NODE_IP):30021']],
    ['untouched-successor', ['http://$(NODE_IP):30020']],
    ['internal-traffic-local', ['http://$(NODE_IP):30020']],
    ['prefer-same-node', ['http://$(NODE_IP):30021']],
    ['host-network', ['http://$(NODE_IP):5500', 'http://$(NODE_IP):30021']],
    ['everything', ['http://$(NODE_IP):30101', 'http://$(NODE_IP):30100', 'https://cache.example']],
  ])('%s points containerd at its node first', async (name, targets) => {
    const { args = [] } = containerOf(await read(name), 'DaemonSet/spegel', 'configuration') ?? {};
    const [first, ...more] = args.slice(args.indexOf('--mirror-targets') + 1);
    expect([
      first,
      ...more.slice(
        0,
        more.findIndex((arg) => arg.startsWith('--')),
      ),
    ]).toEqual(targets);
  });

  test.each<[name: string, image: string]>([
    ['default', `registry.example/spegel:${packageJson.version}`],
    ['untouched-v0.7.4', `registry.example/spegel:${packageJson.version}`],
    ['own-image-by-digest', `registry.example:5000/tools/mirror@sha256:${'0123456789abcdef'.repeat(4)}`],
  ])('all containers of %s are of the image %s', async (name, image) => {
    const images = (await read(name)).flatMap((manifest) =>
      containersOf(manifest['spec'] as Spec | undefined).map((container) => container.image),
    );
    expect([...new Set(images)]).toEqual([image]);
    expect(images).toHaveLength(4);
  });

  test('the manifests for kustomize name an image that is none, which docs/INSTALL.md replaces', async () => {
    const folder = join(REPOSITORY, 'deploy/kustomize');
    const files = ['spegel.yaml', 'cleanup/cleanup.yaml'].map((name) => readFile(join(folder, name), 'utf8'));
    const images = (await Promise.all(files))
      .flatMap((text) => parseManifests(text))
      .flatMap((manifest) => containersOf(manifest['spec'] as Spec | undefined))
      .map((container) => container.image);
    expect([...new Set(images)]).toEqual([`${PLACEHOLDER_IMAGE}:${packageJson.version}`]);
    expect(images).toHaveLength(4);
    const install = await readFile(join(REPOSITORY, 'docs/INSTALL.md'), 'utf8');
    expect(install.split(`\n  - name: ${PLACEHOLDER_IMAGE}\n    newName: `)).toHaveLength(3);
  });

  test.each(cases)('the containers of %s are given flags that there are', async (name) => {
    const tables: Readonly<Record<string, FlagTable>> = {
      configuration: configureFlags,
      registry: registryFlags,
      cleanup: cleanupFlags,
      'cleanup-wait': cleanupWaitFlags,
    };
    const containers = (await read(name)).flatMap((manifest) =>
      containersOf(manifest['spec'] as Spec | undefined),
    );
    expect(containers.flatMap(({ args = [] }) => args)).not.toEqual([]);
    const unknown = containers.flatMap(({ args = [] }) => {
      const [command = '', ...rest] = args;
      const flags = new Set(Object.keys({ ...globalFlags, ...tables[command] }).map(flagName));
      return rest.filter((arg) => arg.startsWith('--') && !flags.has(arg.slice(2).split('=')[0] ?? ''));
    });
    expect(unknown).toEqual([]);
  });
});

describe('what doctor sees in the pod', () => {
  const rootsOf = async (name: string, daemonSet = 'spegel') => {
    const { volumeMounts = [], env = [] } =
      containerOf(await read(name), `DaemonSet/${daemonSet}`, 'registry') ?? {};
    const root = env.find(({ name }) => name === 'HOST_ROOT')?.value;
    const folders = volumeMounts.filter(({ name }) => name.startsWith('doctor-'));
    return { root, folders: folders.map(({ mountPath }) => mountPath) };
  };

  test.each<[name: string, folders: string[]]>([
    ['default', ['/host/etc/containerd']],
    ['shared-configuration-folder', ['/host/etc/certs.d']],
    ['everything', ['/host/var/lib/rancher/k3s/agent/etc/containerd', '/host/etc/k0s', '/host/run/k0s']],
  ])('of %s is %p', async (name, folders) => {
    expect(await rootsOf(name)).toEqual({ root: '/host', folders });
  });

  test('is nothing if it is turned off', async () => {
    expect(await rootsOf('without-mirror-configuration', 'p2p')).toEqual({ root: undefined, folders: [] });
  });

  test.each(cases)('the environment of %s is that of flags', async (name) => {
    const flags = [
      ...Object.keys(doctorFlags),
      ...Object.keys(registryFlags),
      ...Object.keys(configureFlags),
    ];
    const known = new Set(flags.map(environmentName));
    const containers = (await read(name)).flatMap((manifest) =>
      containersOf(manifest['spec'] as Spec | undefined),
    );
    const names = containers.flatMap(({ env = [] }) => env.map(({ name }) => name));
    expect(names).not.toEqual([]);
    expect(names.filter((name) => !known.has(name))).toEqual([]);
  });

  test('is told where everything is, so that it needs no flags', async () => {
    const { env = [] } = containerOf(await read('everything'), 'DaemonSet/spegel', 'registry') ?? {};
    const environment = Object.fromEntries(env.flatMap(({ name, value }) => (value ? [[name, value]] : [])));
    const options = doctorOptions(readFlags(doctorFlags, {}, environment));
    expect(options).toMatchObject({
      hostRoot: '/host',
      distribution: 'k0s',
      containerdConfig: '/etc/k0s/containerd.toml',
      registryConfigPath: '/var/lib/rancher/k3s/agent/etc/containerd/certs.d',
      socket: '/run/k3s/containerd/containerd.sock',
      contentPath: '/var/lib/rancher/k3s/agent/containerd/io.containerd.content.v1.content',
      namespace: 'other',
      mirroredRegistries: ['https://docker.io', 'https://ghcr.io'],
    });
  });
});

describe('the init container', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'spegel-chart-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  test.each<[name: string, nodeIp: string, file: string, hosts: string[]]>([
    ['default', '10.0.0.7', '_default', ['http://10.0.0.7:30020', 'http://10.0.0.7:30021']],
    ['default', 'fd00::7', '_default', ['http://[fd00::7]:30020', 'http://[fd00::7]:30021']],
    [
      'everything',
      '10.0.0.7',
      'ghcr.io',
      ['http://10.0.0.7:30101', 'http://10.0.0.7:30100', 'https://cache.example'],
    ],
  ])('of %s on node %s writes %s/hosts.toml', async (name, nodeIp, file, hosts) => {
    const { args = [] } = containerOf(await read(name), 'DaemonSet/spegel', 'configuration') ?? {};
    const flag = '--containerd-registry-config-path';
    let errors = '';
    const code = await runCli({
      args: args
        .map((arg) => arg.replaceAll('$(NODE_IP)', nodeIp))
        .map((arg) => (arg.startsWith(`${flag}=`) ? `${flag}=${folder}` : arg)),
      environment: { NODE_IP: nodeIp },
      writeOut: () => {},
      writeError: (text) => (errors += text),
    });
    expect({ code, errors: code === 0 ? '' : errors }).toEqual({ code: 0, errors: '' });
    const written = Bun.TOML.parse(await readFile(join(folder, file, 'hosts.toml'), 'utf8')) as {
      host: object;
    };
    expect(Object.keys(written.host)).toEqual(hosts);
  });
});

describe('the chart beside the program', () => {
  test('has its version', async () => {
    const chart = Bun.YAML.parse(await readFile(join(CHART, 'Chart.yaml'), 'utf8'));
    expect(chart).toMatchObject({ version: packageJson.version, appVersion: packageJson.version });
  });

  test('has a schema of the values that there are', async () => {
    const values = readChartValues(await readFile(join(CHART, 'values.yaml'), 'utf8'));
    const schema = JSON.parse(await readFile(join(CHART, 'values.schema.json'), 'utf8')) as Schema;
    // What is passed on as it is, such as a security context, has no properties there.
    const below = (at: Schema | undefined, name: string) => (at?.properties ? at.properties[name] : at);
    const inSchema = (path: string) =>
      path.split('.').reduce<Schema | undefined>(below, schema) !== undefined;
    expect(values.length).toBeGreaterThan(50);
    expect(values.map(({ path }) => path).filter((path) => !inSchema(path))).toEqual([]);
  });
});
