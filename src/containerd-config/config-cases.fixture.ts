/** What a version of containerd takes from its files: it does not start, or it has these settings. */
export type ConfigOutcome =
  | 'refused'
  | {
      readonly configPath?: string;
      readonly discards?: boolean;
      readonly socket?: string;
      /** True: the CRI is switched off. */
      readonly isOff?: boolean;
      /** Snapshotters of runtimes. */
      readonly ofRuntimes?: readonly string[];
    };

/** Files by their name beside config.toml, and what containerd 1.6 and 2.3 make of them. */
export interface ConfigCase {
  readonly what: string;
  readonly files: Readonly<Record<string, string>>;
  readonly old: ConfigOutcome;
  readonly new: ConfigOutcome;
}

const CRI = 'plugins."io.containerd.grpc.v1.cri"';
const IMAGES = 'plugins."io.containerd.cri.v1.images"';
const RUNTIME = 'plugins."io.containerd.cri.v1.runtime"';
const RUNC = `[${CRI}.containerd.runtimes.runc]\nruntime_type = "io.containerd.runc.v2"\n`;
const inOld = (text: string) => ({ 'config.toml': `version = 2\n[${CRI}.registry]\n${text}\n` });
const inNew = (text: string) => ({ 'config.toml': `version = 3\n[${IMAGES}.registry]\n${text}\n` });
const ofPath = `version = 3\n[${IMAGES}.registry]\nconfig_path = "/x"\n`;
const importing = (glob: string, ...names: readonly string[]): ConfigCase['files'] => ({
  'config.toml': `version = 3\nimports = [${JSON.stringify(glob)}]\n`,
  ...Object.fromEntries(names.map((name) => [name, ofPath])),
});
const same = (outcome: ConfigOutcome) => ({ old: outcome, new: outcome });

/** Each outcome is that of `containerd config dump`; scripts/e2e/containerd-config.test.ts compares it with the one that is there. */
export const CONFIG_CASES: readonly ConfigCase[] = [
  // Types.
  {
    what: 'a flag as text',
    files: { 'config.toml': `version = 2\n[${CRI}.containerd]\ndiscard_unpacked_layers = "false"\n${RUNC}` },
    ...same('refused'),
  },
  {
    what: 'a flag as text in a section that 1.x does not read',
    files: { 'config.toml': `version = 3\n[${IMAGES}]\ndiscard_unpacked_layers = "true"\n` },
    old: {},
    new: 'refused',
  },
  { what: 'a path as number', files: inOld('config_path = 1'), ...same('refused') },
  { what: 'a path as list', files: inOld('config_path = ["/x"]'), ...same('refused') },
  { what: 'a path as table', files: inOld('config_path = {a = "/x"}'), ...same('refused') },
  {
    what: 'a table as text',
    files: { 'config.toml': `version = 2\n[${CRI}]\nregistry = "x"\n` },
    ...same('refused'),
  },
  { what: 'mirrors as text', files: inOld('mirrors = "x"'), ...same('refused') },
  {
    what: 'the endpoint of a mirror as text',
    files: inOld(
      'config_path = "/x"\n[plugins."io.containerd.grpc.v1.cri".registry.mirrors.a]\nendpoint = "b"',
    ),
    ...same('refused'),
  },
  { what: 'a header as text', files: inOld('headers = { a = "b" }'), ...same('refused') },
  { what: 'a password as number', files: inOld('configs.a.auth.password = 1'), ...same('refused') },
  { what: 'a password as number beside a host', files: inOld('auths.a.password = 1'), ...same('refused') },
  {
    what: 'a flag of TLS as text, of which 2.x knows nothing',
    files: inOld('configs.a.tls.insecure_skip_verify = "true"'),
    old: 'refused',
    new: {},
  },
  {
    what: 'a number as text',
    files: { 'config.toml': `version = 2\n[${CRI}]\nmax_concurrent_downloads = "7"\n` },
    ...same('refused'),
  },
  {
    what: 'a snapshotter as number',
    files: { 'config.toml': `version = 3\n[${IMAGES}]\nsnapshotter = 1\n` },
    old: {},
    new: 'refused',
  },
  {
    what: 'a socket as number',
    files: { 'config.toml': 'version = 2\n[grpc]\naddress = 1\n' },
    ...same('refused'),
  },
  { what: 'a version as text', files: { 'config.toml': 'version = "2"\n' }, ...same('refused') },
  {
    what: 'imports as text',
    files: { 'config.toml': 'version = 2\nimports = "/x/*.toml"\n' },
    ...same('refused'),
  },
  {
    what: 'plugins as text',
    files: { 'config.toml': 'version = 2\ndisabled_plugins = "cri"\n' },
    ...same('refused'),
  },

  // Names of settings.
  { what: 'a name in capitals', files: inOld('CONFIG_PATH = "/x"'), ...same({ configPath: '/x' }) },
  { what: 'a name in mixed case', files: inOld('Config_Path = "/x"'), old: {}, new: { configPath: '/x' } },
  {
    what: 'a table in capitals, which is migrated by its own name alone',
    files: { 'config.toml': `version = 2\n[${CRI}.REGISTRY]\nconfig_path = "/x"\n` },
    old: { configPath: '/x' },
    new: {},
  },
  {
    what: 'a table in mixed case',
    files: { 'config.toml': `version = 3\n[${IMAGES}.Registry]\nConfig_Path = "/x"\n` },
    old: {},
    new: { configPath: '/x' },
  },
  {
    what: 'two spellings of a name',
    files: inNew('config_path = "/x"\nCONFIG_PATH = "/y"'),
    old: {},
    new: { configPath: '/x' },
  },
  {
    what: 'capitals from the top on',
    files: {
      'config.toml': `VERSION = 2\n[GRPC]\nADDRESS = "/z"\n[PLUGINS."io.containerd.grpc.v1.cri".registry]\nconfig_path = "/x"\n`,
    },
    ...same({ configPath: '/x', socket: '/z' }),
  },
  {
    what: 'mixed case from the top on',
    files: {
      'config.toml': `Version = 2\n[Grpc]\nAddress = "/z"\n[Plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = "/x"\n`,
    },
    old: {},
    new: { configPath: '/x', socket: '/z' },
  },
  {
    what: 'a plugin in another case',
    files: {
      'config.toml': 'version = 2\n[plugins."io.containerd.grpc.v1.CRI".registry]\nconfig_path = "/x"\n',
    },
    ...same({}),
  },
  {
    what: 'a plugin in capitals in a file without a version',
    files: { 'config.toml': '[plugins.CRI.registry]\nconfig_path = "/x"\n' },
    ...same({}),
  },
  { what: 'a flag as text in capitals', files: inNew('CONFIG_PATH = 1'), old: {}, new: 'refused' },

  // Names of plugins.
  {
    what: 'a short name of a section in a file of version 2',
    files: { 'config.toml': 'version = 2\n[plugins.cri.registry]\nconfig_path = "/x"\n' },
    old: 'refused',
    new: {},
  },
  {
    what: 'the CRI off in a file without a version',
    files: { 'config.toml': 'disabled_plugins = ["cri"]\n' },
    ...same({ isOff: true }),
  },
  {
    what: 'the CRI off by its short name',
    files: { 'config.toml': 'version = 2\ndisabled_plugins = ["cri"]\n' },
    ...same('refused'),
  },
  {
    what: 'the CRI off by its full name in a file without a version',
    files: { 'config.toml': 'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n' },
    old: {},
    new: { isOff: true },
  },
  {
    what: 'the CRI off by its full name',
    files: {
      'config.toml':
        'version = 2\ndisabled_plugins = ["io.containerd.snapshotter.v1.zfs", "io.containerd.grpc.v1.cri"]\n',
    },
    ...same({ isOff: true }),
  },
  {
    what: 'the images plugin off',
    files: { 'config.toml': 'version = 3\ndisabled_plugins = ["io.containerd.cri.v1.images"]\n' },
    old: {},
    new: { isOff: true },
  },
  {
    what: 'the runtime plugin off',
    files: { 'config.toml': 'version = 3\ndisabled_plugins = ["io.containerd.cri.v1.runtime"]\n' },
    old: {},
    new: { isOff: true },
  },
  {
    what: 'the CRI off in an import',
    files: {
      'config.toml': 'version = 2\nimports = ["a.toml"]\n',
      'a.toml': 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n',
    },
    ...same({ isOff: true }),
  },
  {
    what: 'the CRI off, and an import with an empty list',
    files: {
      'config.toml': 'version = 2\nimports = ["a.toml"]\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n',
      'a.toml': 'version = 2\ndisabled_plugins = []\n',
    },
    ...same({ isOff: true }),
  },

  // Versions.
  {
    what: 'a version that is not there yet',
    files: { 'config.toml': 'version = 5\n' },
    old: {},
    new: 'refused',
  },
  {
    what: 'a drop-in of a higher version',
    files: { 'config.toml': 'version = 2\nimports = ["a.toml"]\n', 'a.toml': ofPath },
    old: {},
    new: 'refused',
  },
  {
    what: 'a drop-in of the newest version',
    files: { 'config.toml': 'version = 3\nimports = ["a.toml"]\n', 'a.toml': 'version = 4\n' },
    old: {},
    new: 'refused',
  },
  {
    what: 'a drop-in of version 2, and a main file of version 1',
    files: {
      'config.toml': 'version = 1\nimports = ["a.toml"]\n',
      'a.toml': inOld('config_path = "/x"')['config.toml'],
    },
    old: { configPath: '/x' },
    new: 'refused',
  },
  {
    what: 'a drop-in of version 3, and a main file without one',
    files: { 'config.toml': 'imports = ["a.toml"]\n', 'a.toml': ofPath },
    old: {},
    new: { configPath: '/x' },
  },
  {
    what: 'a drop-in without a version',
    files: {
      'config.toml': `version = 3\nimports = ["a.toml"]\n[${IMAGES}.registry]\nconfig_path = "/x"\n`,
      'a.toml': 'root = "/r"\n',
    },
    old: {},
    new: { configPath: '/x' },
  },
  {
    what: 'a byte order mark',
    files: { 'config.toml': `\u{feff}version = 2\n[${CRI}.registry]\nconfig_path = "/x"\n` },
    old: { configPath: '/x' },
    new: 'refused',
  },
  {
    what: 'an inline table of two lines',
    files: {
      'config.toml': 'version = 2\nproxy_plugins = { a = { type = "snapshot",\n address = "/a" } }\n',
    },
    old: {},
    new: 'refused',
  },
  {
    what: 'a comma at the end of an inline table',
    files: { 'config.toml': 'version = 2\nproxy_plugins = { a = { type = "snapshot", } }\n' },
    ...same('refused'),
  },

  // Snapshotters of runtimes.
  {
    what: 'a snapshotter of a runtime in a file of version 2',
    files: { 'config.toml': `version = 2\n${RUNC}snapshotter = "nydus"\n` },
    old: {},
    new: { ofRuntimes: ['nydus'] },
  },
  {
    what: 'a snapshotter of a runtime',
    files: {
      'config.toml': `version = 3\n[${RUNTIME}.containerd.runtimes.kata]\nruntime_type = "io.containerd.kata.v2"\nsnapshotter = "nydus"\n`,
    },
    old: {},
    new: { ofRuntimes: ['nydus'] },
  },
  {
    what: 'a snapshotter of a platform',
    files: { 'config.toml': `version = 3\n[${IMAGES}.runtime_platforms.kata]\nsnapshotter = "nydus"\n` },
    old: {},
    new: { ofRuntimes: ['nydus'] },
  },
  {
    what: 'a table that no version reads',
    files: { 'config.toml': `version = 3\n[${IMAGES}.runtime_platform.kata]\nsnapshotter = "nydus"\n` },
    ...same({}),
  },

  // Imports.
  { what: 'a class', files: importing('d/[0-9]*.toml', 'd/10-x.toml'), old: {}, new: { configPath: '/x' } },
  { what: 'a class that does not match', files: importing('d/[^0-9]*.toml', 'd/10-x.toml'), ...same({}) },
  {
    what: 'a mark and a wildcard',
    files: importing('d/??-*.toml', 'd/10-x.toml'),
    old: {},
    new: { configPath: '/x' },
  },
  {
    what: 'a character after a backslash',
    files: importing('d/\\[1\\]*', 'd/[1]x'),
    old: {},
    new: { configPath: '/x' },
  },
  {
    what: 'a wildcard for folders, one of which has no such file, beside a file',
    files: { ...importing('d/*/config.toml', 'd/a/config.toml'), 'd/README': '', 'd/b/other': '' },
    old: {},
    new: { configPath: '/x' },
  },
  { what: 'a hidden file', files: importing('d/*', 'd/.x'), old: {}, new: { configPath: '/x' } },
  {
    what: 'a pattern that is none, from the folder of the file on',
    files: importing('d/*[.toml', 'd/x.toml'),
    old: {},
    new: 'refused',
  },
  {
    what: 'a relative pattern, which 1.6 does not look for there',
    files: {
      'config.toml': 'version = 2\nimports = ["d/*.toml"]\n',
      'd/x.toml': inOld('config_path = "/x"')['config.toml'],
    },
    old: {},
    new: { configPath: '/x' },
  },
  {
    what: 'an empty name, which is the folder of the file',
    files: { 'config.toml': 'version = 2\nimports = [""]\n' },
    ...same('refused'),
  },
  { what: 'a pattern that is none, in an empty folder', files: importing('none/*[.toml'), ...same({}) },
];
