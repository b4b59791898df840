import { describe, expect, test } from 'bun:test';
import { type ContainerdVersion, parseContainerdVersion } from '../containerd-config/containerd-version.ts';
import { readCriSettings } from '../containerd-config/cri-settings.ts';
import { readEffectiveConfig } from '../containerd-config/effective-config.ts';
import { createHostFolder } from '../runtime/testing/host-folder.ts';
import { checkConfig } from './check-config.ts';
import { type DistributionId, DISTRIBUTIONS } from './distribution.ts';
import type { Finding, FixStep } from './finding.ts';

const CERTS = '/etc/containerd/certs.d';
const SOCKET = '/run/containerd/containerd.sock';
const IMAGES = 'plugins."io.containerd.cri.v1.images"';
const CRI = 'plugins."io.containerd.grpc.v1.cri"';

async function check(
  version: string,
  files: Readonly<Record<string, string>>,
  id: DistributionId = 'plain',
  registryConfigPath = CERTS,
) {
  await using folder = await createHostFolder(files);
  const parsed = parseContainerdVersion(version) as ContainerdVersion;
  const distribution = DISTRIBUTIONS[id];
  const config = await readEffectiveConfig(folder.host, distribution.configFile, parsed);
  const settings = readCriSettings(config, parsed);
  const context = { config, settings, version: parsed, distribution };
  return checkConfig(context, { registryConfigPath, socket: settings.socket.value }).findings;
}

const FILE = '/etc/containerd/config.toml';

describe('checkConfig()', () => {
  test.each([
    ['1.6.20', `version = 2\n[${CRI}.registry]\nconfig_path = "${CERTS}"\n`, []],
    ['1.7.20', `version = 2\n[${CRI}.registry]\nconfig_path = "${CERTS}:/etc/docker/certs.d"\n`, []],
    ['2.0.5', `version = 3\n[${IMAGES}.registry]\nconfig_path = "${CERTS}:/etc/docker/certs.d"\n`, []],
    ['2.1.5', `version = 3\n[${IMAGES}.registry]\nconfig_path = "${CERTS}:/b"\n`, ['config-path-list']],
    ['2.1.5', `version = 2\n[${CRI}.registry]\nconfig_path = "${CERTS}:/b"\n`, ['config-path-list']],
    [
      '2.1.5',
      `version = 3\n[${IMAGES}]\nuse_local_image_pull = true\n[${IMAGES}.registry]\nconfig_path = "${CERTS}:/b"\n`,
      [],
    ],
    [
      '2.1.5',
      `version = 3\n[${IMAGES}]\nmax_concurrent_downloads = 5\n[${IMAGES}.registry]\nconfig_path = "${CERTS}:/b"\n`,
      [],
    ],
    ['2.1.5', `version = 3\n[${CRI}.registry]\nconfig_path = "${CERTS}"\n`, ['config-path-unset']],
    ['2.2.1', 'version = 3\n', ['config-path-list']],
    ['2.4.0', 'version = 4\n', ['config-path-list']],
    ['2.1.5', 'version = 3\n', ['config-path-unset']],
    ['1.7.20', `version = 2\n[${CRI}.registry]\nconfig_path = "/b"\n`, ['config-path-mismatch']],
    ['1.7.20', `version = 2\n[${CRI}.registry]\nconfig_path = "${CERTS}/"\n`, []],
    [
      '1.7.20',
      `version = 2\n[${CRI}.registry]\nconfig_path = "${CERTS}"\n[${CRI}.registry.mirrors.a]\nendpoint = []\n`,
      ['registry-mirrors'],
    ],
    [
      '1.7.20',
      `version = 2\n[${CRI}.registry]\nconfig_path = "${CERTS}"\n[${CRI}.containerd]\nsnapshotter = "stargz"\n`,
      ['lazy-snapshotter'],
    ],
    [
      '2.0.0',
      `version = 3\n[${IMAGES}.registry]\nconfig_path = "${CERTS}"\n[${IMAGES}.runtime_platforms.kata]\nsnapshotter = "nydus"\n`,
      ['lazy-snapshotter'],
    ],
    ['1.7.20', 'version = ', ['config-unreadable', 'config-path-unset']],
    [
      '1.7.20',
      `imports = ["/none.toml"]\nversion = 2\n[${CRI}.registry]\nconfig_path = "${CERTS}"\n`,
      ['config-unreadable'],
    ],
  ])('finds in containerd %s, of %j, %j', async (version, text, ids) => {
    expect((await check(version, { [FILE]: text })).map(({ id }) => id)).toEqual(ids);
  });

  test.each([
    ['2.3.4', 'version = 3\n', 'config-path-list'],
    // A local pull reads the list.
    ['2.3.4', `version = 3\n[${IMAGES}]\nuse_local_image_pull = true\n`, 'config-path-mismatch'],
  ])(
    'has the folder that spegel writes to take the place of the default of %s in %j',
    async (version, text, id) => {
      const [finding, ...others] = await check(version, { [FILE]: text }, 'plain', '/srv/certs.d');
      expect(others).toEqual([]);
      expect(finding).toMatchObject({
        id,
        fix: [
          { do: 'insert', lines: [`[${IMAGES}.registry]`, '  config_path = "/srv/certs.d"'] },
          { do: 'run' },
        ],
      });
    },
  );

  test('says of a setting in a section that is not read where it is', async () => {
    const [finding] = await check('2.1.5', {
      [FILE]: `version = 3\n[${CRI}.registry]\nconfig_path = "/x"\n`,
    });
    expect(finding?.seen[1]).toBe(
      `${FILE}:3: config_path = "/x" does not count: containerd 2.1 does not read this section of a file of this version`,
    );
  });

  test('writes a config.toml that containerd 1.x takes where there is none', async () => {
    const findings = await check('1.7.20', {});
    const unset = findings.find(({ id }) => id === 'config-path-unset');
    expect(unset?.seen).toEqual([
      `${FILE}: [${CRI}.registry] config_path = "" (not set; this is the default)`,
    ]);
    expect(unset?.fix[0]).toEqual({
      do: 'write',
      file: FILE,
      lines: ['version = 2', `[${CRI}.registry]`, `  config_path = "${CERTS}"`],
    });
  });

  test('writes the section of the version that it writes where a file of k0s has no version', async () => {
    const file = DISTRIBUTIONS.k0s.configFile;
    const findings = await check('1.7.20', { [file]: 'root = "/var/lib/k0s/containerd"\n' }, 'k0s');
    const unset = findings.find(({ id }) => id === 'config-path-unset');
    expect(unset?.fix[0]).toMatchObject({
      do: 'write',
      lines: ['version = 2', `[${CRI}.registry]`, `  config_path = "${CERTS}"`],
    });
  });

  test('patches new clusters of kind in the section that its own file has', async () => {
    const file = `version = 2\n[${CRI}.containerd]\ndiscard_unpacked_layers = true\n[${CRI}.containerd.runtimes.runc]\nruntime_type = "io.containerd.runc.v2"\n`;
    const findings = await check('2.3.4', { [FILE]: file }, 'kind');
    const discards = findings.find(({ id }) => id === 'discard-unpacked-layers');
    expect(discards?.fix).toContainEqual({
      do: 'note',
      text: 'for new clusters, in the configuration of kind',
      lines: [
        'containerdConfigPatches:',
        '- |-',
        `  [${CRI}.containerd]`,
        '    discard_unpacked_layers = false',
      ],
    });
  });

  test('patches new clusters of kind in that section too when its file is not seen', async () => {
    const [finding] = await check('2.3.4', {}, 'kind');
    expect(finding?.fix.at(-1)).toMatchObject({
      lines: ['containerdConfigPatches:', '- |-', `  [${CRI}.registry]`, `    config_path = "${CERTS}"`],
    });
  });

  /** What each distribution is told for discard_unpacked_layers = true. */
  const FIXES: ReadonlyArray<readonly [DistributionId, string, Readonly<Record<string, string>>, FixStep]> = [
    [
      'plain',
      '2.1.5',
      { [FILE]: `version = 3\n[${IMAGES}]\n  discard_unpacked_layers = true\n` },
      { do: 'replace', file: FILE, first: 3, last: 3, lines: ['  discard_unpacked_layers = false'] },
    ],
    [
      'eks-al2023',
      '2.1.5',
      { [FILE]: `version = 3\n[${IMAGES}]\ndiscard_unpacked_layers = true\n` },
      {
        do: 'note',
        text: 'in the user data of the node (nodeadm writes config.toml at boot), then replace the node',
        lines: [
          'apiVersion: node.eks.aws/v1alpha1',
          'kind: NodeConfig',
          'spec:',
          '  containerd:',
          '    config: |',
          `      [${IMAGES}]`,
          '        discard_unpacked_layers = false',
        ],
      },
    ],
    [
      'k0s',
      '1.7.20',
      { '/etc/k0s/containerd.toml': `version = 2\n[${CRI}.containerd]\ndiscard_unpacked_layers = true\n` },
      {
        do: 'write',
        file: '/etc/k0s/containerd.d/spegel.toml',
        lines: ['version = 2', `[${CRI}.containerd]`, '  discard_unpacked_layers = false'],
      },
    ],
    [
      'talos',
      '2.1.5',
      { '/etc/cri/containerd.toml': `version = 3\n[${IMAGES}]\ndiscard_unpacked_layers = true\n` },
      {
        do: 'note',
        text: 'in the machine configuration (talosctl patch machineconfig)',
        lines: [
          'machine:',
          '  files:',
          '    - path: /etc/cri/conf.d/20-customization.part',
          '      op: create',
          '      content: |',
          `        [${IMAGES}]`,
          '          discard_unpacked_layers = false',
        ],
      },
    ],
    [
      'k3s',
      '2.1.5',
      {
        [DISTRIBUTIONS.k3s.configFile]:
          `version = 3\nimports = ["/var/lib/rancher/k3s/agent/etc/containerd/config-v3.toml.d/*.toml"]\n[${IMAGES}]\ndiscard_unpacked_layers = true\n`,
      },
      {
        do: 'write',
        file: '/var/lib/rancher/k3s/agent/etc/containerd/config-v3.toml.d/spegel.toml',
        lines: ['version = 3', `[${IMAGES}]`, '  discard_unpacked_layers = false'],
      },
    ],
    [
      'k3s',
      '1.7.20',
      {
        [DISTRIBUTIONS.k3s.configFile]:
          `version = 2\nimports = ["/var/lib/rancher/k3s/agent/etc/containerd/config.toml.d/*.toml"]\n[${CRI}.containerd]\ndiscard_unpacked_layers = true\n`,
      },
      {
        do: 'note',
        text: 'in /var/lib/rancher/k3s/agent/etc/containerd/config.toml.tmpl (made from the base template if it is not there); a table that the base has already is changed, not repeated',
        lines: ['{{ template "base" . }}', '', `[${CRI}.containerd]`, '  discard_unpacked_layers = false'],
      },
    ],
  ];

  test.each(FIXES)('tells %s how to keep layers', async (id, version, files, step) => {
    const findings = await check(version, files, id);
    expect(findings.find((finding) => finding.id === 'discard-unpacked-layers')?.fix[0]).toEqual(step);
  });

  test.each<[DistributionId, string]>([
    ['k3s', '/etc/rancher/k3s/registries.yaml'],
    ['rke2', '/var/lib/rancher/rke2/agent/etc/containerd/config-v3.toml.tmpl'],
    ['k0s', '/etc/k0s/containerd.d'],
    ['eks-al2023', 'NodeConfig'],
    ['talos', 'CRICustomizationConfig'],
    ['bottlerocket', 'settings.container-registry'],
  ])('does not tell %s to edit a file that is written anew at each start', async (id, text) => {
    const config = `version = 3\n[${IMAGES}.registry.mirrors."a.io"]\nendpoint = ["https://b.io"]\n`;
    const findings = await check('2.1.5', { [DISTRIBUTIONS[id].configFile]: config }, id);
    const [step] = findings.find((finding) => finding.id === 'registry-mirrors')?.fix ?? [];
    expect(step).toMatchObject({ do: 'note', text: expect.stringContaining(text) });
  });

  test.each<[string, string, Finding['severity']]>([
    ['2.1.5', 'auth', 'info'],
    ['2.1.5', 'tls', 'warning'],
    ['1.7.20', 'auth', 'info'],
    ['1.7.20', 'tls', 'error'],
  ])('takes registry.configs with %s and %s for as bad as it is', async (version, key, severity) => {
    const plugin = version.startsWith('1.') ? CRI : IMAGES;
    const config = `version = ${version.startsWith('1.') ? 2 : 3}\n[${plugin}.registry]\nconfig_path = "${CERTS}"\n[${plugin}.registry.configs."a.io".${key}]\nx = "y"\n`;
    expect(await check(version, { [FILE]: config })).toMatchObject([{ id: 'registry-configs', severity }]);
  });

  test('says when the file is that of another containerd', async () => {
    await using folder = await createHostFolder({ [FILE]: 'version = 2\n[grpc]\naddress = "/other.sock"\n' });
    const version = { major: 1, minor: 7 };
    const config = await readEffectiveConfig(folder.host, FILE, version);
    const settings = readCriSettings(config, version);
    const { findings } = checkConfig(
      { config, settings, version, distribution: DISTRIBUTIONS.plain },
      { registryConfigPath: CERTS, socket: SOCKET },
    );
    expect(findings.at(-1)).toMatchObject({
      id: 'config-of-another-containerd',
      seen: [`${FILE}:3: address = "/other.sock"`, `--containerd-sock ${SOCKET}`],
    });
  });
});
