import { expect, test } from 'bun:test';
import { chmod } from 'node:fs/promises';
import { createHostFolder } from '../runtime/testing/host-folder.ts';
import { examineFiles, type FilesOptions } from './examine-files.ts';

const FILE = '/etc/containerd/config.toml';
const CERTS = '/etc/containerd/certs.d';
const CRI = 'plugins."io.containerd.grpc.v1.cri"';
const IMAGES = 'plugins."io.containerd.cri.v1.images"';
const RUNTIME = 'plugins."io.containerd.cri.v1.runtime"';
const OLD = `version = 2\n[${CRI}.registry]\nconfig_path = "${CERTS}"\n`;
const NEW = `version = 3\n[${IMAGES}.registry]\nconfig_path = "${CERTS}"\n`;
const MIRROR = '[host."http://127.0.0.1:30020"]\n';
const OPTIONS: FilesOptions = {
  distribution: undefined,
  containerdConfig: undefined,
  registryConfigPath: CERTS,
  socket: '/run/containerd/containerd.sock',
  mirrorTargets: ['http://127.0.0.1:30020'],
  mirroredRegistries: [],
  nodeAddresses: [],
  registryPort: 5000,
};

/** Looks at a host that can be seen as a whole, whose containerd does not answer. */
async function examine(
  files: Readonly<Record<string, string>>,
  { options = {}, forbidden }: { readonly options?: Partial<FilesOptions>; readonly forbidden?: string } = {},
) {
  await using folder = await createHostFolder({
    '/etc/os-release': 'ID=debian\n',
    '/var/lib/kubelet/config.yaml': '',
    ...files,
  });
  const { host } = folder;
  if (forbidden !== undefined) await chmod(await host.locate(forbidden), 0);
  const readable = {
    ...host,
    // Root reads everything, so a file that may not be read is told by its mode.
    readText: async (path: string) => {
      if (path === forbidden) throw Object.assign(new Error(`EACCES: ${path}`), { code: 'EACCES' });
      return host.readText(path);
    },
  };
  return await examineFiles(readable, { ...OPTIONS, ...options }, undefined);
}

const inDefault = { [`${CERTS}/_default/hosts.toml`]: MIRROR };

test.each<[what: string, files: Readonly<Record<string, string>>, ids: string[]]>([
  ['a healthy node', { [FILE]: OLD }, []],
  [
    'the CRI that is switched off',
    { [FILE]: OLD.replace('\n', '\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n') },
    ['cri-disabled'],
  ],
  ['the file of Docker', { [FILE]: 'disabled_plugins = ["cri"]\n' }, ['cri-disabled', 'config-path-unset']],
  [
    'a drop-in of a higher version',
    {
      [FILE]: OLD.replace('\n', '\nimports = ["/etc/containerd/conf.d/*.toml"]\n'),
      '/etc/containerd/conf.d/99-gpu.toml': `version = 3\n[${RUNTIME}.containerd.runtimes.gpu]\nruntime_type = "io.containerd.runc.v2"\n`,
    },
    ['config-refused'],
  ],
  [
    'a flag as text',
    { [FILE]: NEW.replace('\n', `\n[${IMAGES}]\ndiscard_unpacked_layers = "false"\n`) },
    ['config-refused'],
  ],
  [
    'layers that are discarded by a name in capitals',
    { [FILE]: NEW.replace('\n', `\n[${IMAGES}]\nDISCARD_UNPACKED_LAYERS = true\n`) },
    ['discard-unpacked-layers'],
  ],
  [
    'a snapshotter of a platform',
    { [FILE]: `${NEW}[${IMAGES}.runtime_platforms.kata]\nsnapshotter = "nydus"\n` },
    ['lazy-snapshotter'],
  ],
  [
    'a class in an import',
    {
      [FILE]: 'version = 3\nimports = ["/etc/containerd/conf.d/[0-9]*.toml"]\n',
      '/etc/containerd/conf.d/10-mirror.toml': NEW,
    },
    [],
  ],
  [
    'a wildcard for folders beside a file',
    {
      [FILE]: 'version = 3\nimports = ["/etc/containerd/conf.d/*/config.toml"]\n',
      '/etc/containerd/conf.d/README': '',
      '/etc/containerd/conf.d/a/config.toml': NEW,
    },
    [],
  ],
])('examineFiles() finds in %s what is wrong', async (_what, files, ids) => {
  const report = await examine({ ...inDefault, ...files });
  expect(report.findings.map(({ id }) => id)).toEqual(ids);
  expect(report.unknown).toEqual([]);
});

test('examineFiles() names the drop-in for which containerd does not start', async () => {
  const report = await examine({
    [FILE]: OLD.replace('\n', '\nimports = ["/etc/containerd/conf.d/*.toml"]\n'),
    '/etc/containerd/conf.d/99-gpu.toml': 'version = 3\n',
    ...inDefault,
  });
  expect(report.findings[0]?.seen).toEqual([
    expect.stringContaining('/etc/containerd/conf.d/99-gpu.toml:1: version = 3'),
  ]);
});

test.each<[what: string, import: string, ids: string[], unknown: string]>([
  [
    'may not be read',
    '/etc/containerd/a.toml',
    ['discard-unpacked-layers'],
    'this user may not read /etc/containerd/a.toml',
  ],
  ['cannot be seen', '/opt/x/*.toml', ['discard-unpacked-layers'], '/opt/x/any cannot be seen from here'],
])('examineFiles() goes on without an import that %s', async (_what, imported, ids, unknown) => {
  await using folder = await createHostFolder({
    [FILE]: `version = 3\nimports = ["${imported}"]\n[${IMAGES}]\ndiscard_unpacked_layers = true\n`,
    '/etc/containerd/a.toml': NEW,
    ...inDefault,
  });
  const { host } = folder;
  const readText = async (path: string) => {
    if (path !== '/etc/containerd/a.toml') return host.readText(path);
    throw Object.assign(new Error('denied'), { code: 'EACCES' });
  };
  const report = await examineFiles({ ...host, readText }, OPTIONS, undefined);
  expect(report.findings.map(({ id }) => id)).toEqual(ids);
  expect(report.unknown).toEqual([expect.stringContaining(unknown)]);
});
