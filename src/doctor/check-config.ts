import { describeOrigin, type Setting } from '../containerd-config/cri-settings.ts';
import type { Finding, Findings } from './finding.ts';
import { type ConfigContext, formatTable, fixKey, fixTables } from './fix-config.ts';
import { fixSetting } from './fix-setting.ts';

/** Snapshotters that keep layers in the content store; others fetch them file by file when they are needed. */
const PLAIN_SNAPSHOTTERS = new Set([
  'overlayfs',
  'native',
  'btrfs',
  'zfs',
  'devmapper',
  'blockfile',
  'fuse-overlayfs',
  'erofs',
]);

/** What the command was told, to be compared with containerd's configuration. */
export interface ConfigExpectations {
  /** --containerd-registry-config-path. */
  readonly registryConfigPath: string;
  /** --containerd-sock. */
  readonly socket: string;
}

/** Finds settings of containerd with which the mirror is not used or has nothing to serve. */
export function checkConfig(context: ConfigContext, expected: ConfigExpectations): Findings {
  const { config, settings } = context;
  const findings: Finding[] = config.problems.map(({ file, reason }) => ({
    id: 'config-unreadable',
    severity: 'error',
    what: "a file of containerd's configuration cannot be used: containerd does not start with it, or it is not the one that it reads",
    seen: [`${file}: ${reason}`],
    fix: [{ do: 'note', text: `correct ${file}, or name the right file with --containerd-config` }],
  }));
  findings.push(
    ...checkRefusals(context),
    ...checkCri(context),
    ...checkRegistryTables(context, expected),
    ...checkConfigPath(context, expected),
    ...checkLayers(context),
  );
  const socket = settings.socket;
  // It may be given on the command line instead, as k0s does.
  if (socket.origin !== undefined && socket.value !== expected.socket) {
    findings.push({
      id: 'config-of-another-containerd',
      severity: 'warning',
      what: 'this configuration file is that of another containerd: its socket is not the one that spegel uses',
      seen: [see(context, 'address', socket), `--containerd-sock ${expected.socket}`],
      fix: [
        {
          do: 'note',
          text: `name the file that the containerd of ${expected.socket} was started with: --containerd-config; or set --containerd-sock ${socket.value}`,
        },
      ],
    });
  }
  return { findings, unknown: [] };
}

function checkRefusals({ config, distribution }: ConfigContext): Finding[] {
  if (config.refusals.length === 0) return [];
  const files = Array.from(new Set(config.refusals.map(({ origin }) => origin.file)));
  return [
    {
      id: 'config-refused',
      severity: 'error',
      what: 'containerd does not start with this configuration, or would not when it is started the next time',
      seen: config.refusals.map(({ origin, why }) => `${describeOrigin(config, origin)}: ${why}`),
      fix: [
        { do: 'note', text: `correct ${files.join(' and ')}` },
        { do: 'run', command: distribution.restart },
      ],
    },
  ];
}

function checkCri({ config, settings, distribution }: ConfigContext): Finding[] {
  if (settings.disabledBy.length === 0) return [];
  const places = settings.disabledBy.map(({ origin }) => describeOrigin(config, origin));
  return [
    {
      id: 'cri-disabled',
      severity: distribution.isKubernetes ? 'error' : 'warning',
      what: "disabled_plugins switches containerd's CRI plugin off: kubelet and crictl cannot use this containerd, and its config_path does not count",
      seen: settings.disabledBy.map(
        ({ name }, index) => `${places[index]}: disabled_plugins has ${JSON.stringify(name)}`,
      ),
      fix: [
        {
          do: 'note',
          text: `take the CRI plugin out of disabled_plugins in ${places.join(' and ')}${distribution.isKubernetes ? '' : '; nothing, if only ctr or nerdctl pull here, which take the folder of hosts.toml files as --hosts-dir'}`,
        },
        { do: 'run', command: distribution.restart },
      ],
    },
  ];
}

/** The folders of a config_path. */
export function splitConfigPath(text: string): readonly string[] {
  return text
    .split(':')
    .filter((folder) => folder !== '')
    .map((folder) => folder.replace(/(.)\/+$/, '$1'));
}

function checkConfigPath(context: ConfigContext, expected: ConfigExpectations): Finding[] {
  const { settings, version } = context;
  const { configPath, paths, unused } = settings;
  const set = (value: string) =>
    fixKey(context, {
      table: paths.registry,
      key: 'config_path',
      value: JSON.stringify(value),
      now: configPath,
    });
  const folders = splitConfigPath(configPath.value);
  if (folders.length === 0) {
    if (settings.mirrors.length > 0) return [];
    return [
      {
        id: 'config-path-unset',
        severity: 'error',
        what: 'config_path is not set: containerd reads no hosts.toml, and never asks the mirror',
        seen: [
          see(context, `${formatTable(paths.registry)} config_path`, configPath),
          ...unused
            .filter(({ leaf }) => leaf.origin.path.at(-1) === 'config_path')
            .map(
              ({ leaf, why }) =>
                `${describeOrigin(context.config, leaf.origin)}: config_path = ${JSON.stringify(leaf.value)} does not count: ${why}`,
            ),
        ],
        fix: set(expected.registryConfigPath),
      },
    ];
  }
  const findings: Finding[] = [];
  const wanted = expected.registryConfigPath.replace(/(.)\/+$/, '$1');
  const isList = folders.length > 1 && settings.usesTransferService;
  // Nobody has chosen containerd's default, so it is that which gives way: one change, not two.
  const isDefault = configPath.origin === undefined;
  if (!folders.includes(wanted) && !(isDefault && isList)) {
    const [first = ''] = folders;
    findings.push({
      id: 'config-path-mismatch',
      severity: 'error',
      what: 'containerd reads its hosts.toml files in another folder than the one that spegel writes to',
      seen: [see(context, 'config_path', configPath), `--containerd-registry-config-path ${wanted}`],
      fix: isDefault
        ? set(wanted)
        : fixSetting(context.distribution.isKubernetes, {
            text: 'give configure, cleanup, registry and doctor the folder that containerd reads',
            value: `containerdRegistryConfigPath: ${first}`,
            flag: `--containerd-registry-config-path ${first}`,
          }),
    });
  }
  if (isList) {
    findings.push({
      id: 'config-path-list',
      severity: 'error',
      what: `config_path has several folders, and containerd ${version.major}.${version.minor} pulls through its transfer service, which takes the whole list for the name of one folder: no hosts.toml is read`,
      seen: [see(context, 'config_path', configPath)],
      fix: set(isDefault || folders.includes(wanted) ? wanted : (folders[0] ?? wanted)),
    });
  }
  return findings;
}

function checkRegistryTables(context: ConfigContext, expected: ConfigExpectations): Finding[] {
  const { settings, config, version } = context;
  const { mirrors, configs, configsWithTls, paths, configPath } = settings;
  const hasPath = configPath.value !== '';
  const origins = (name: string, keys: readonly string[]) =>
    keys.map((key) => {
      const path = [...paths.registry, name, key];
      const file = Array.from(config.files.keys()).find(
        (file) => describeOrigin(config, { file, path }) !== file,
      );
      return file === undefined
        ? formatTable(path)
        : `${describeOrigin(config, { file, path })}: ${formatTable(path)}`;
    });
  const findings: Finding[] = [];
  if (mirrors.length > 0) {
    const set = hasPath
      ? []
      : fixKey(context, {
          table: paths.registry,
          key: 'config_path',
          value: JSON.stringify(expected.registryConfigPath),
          now: configPath,
        });
    const removal = fixTables(context, [[...paths.registry, 'mirrors']]);
    findings.push({
      id: 'registry-mirrors',
      severity: 'error',
      what: hasPath
        ? 'registry.mirrors and config_path are both set: containerd refuses to load its CRI plugin with that'
        : 'registry.mirrors is set: containerd reads no hosts.toml with that, and never asks the mirror',
      seen: origins('mirrors', mirrors),
      fix: [
        // One restart is enough, at the end.
        ...removal.filter(({ do: kind }) => set.length === 0 || kind !== 'run'),
        ...set,
      ],
    });
  }
  if (configs.length > 0) {
    const isFatal = version.major < 2 && hasPath && configsWithTls.length > 0;
    findings.push({
      id: 'registry-configs',
      severity: isFatal ? 'error' : configsWithTls.length > 0 ? 'warning' : 'info',
      what: isFatal
        ? 'registry.configs has tls and config_path is set: containerd refuses to load its CRI plugin with that'
        : 'registry.configs is set, which is deprecated: with config_path its TLS settings are not used, its credentials are; these belong into pull secrets, the rest into hosts.toml',
      seen: origins('configs', configs),
      fix: fixTables(context, [[...paths.registry, 'configs']]),
    });
  }
  return findings;
}

function checkLayers(context: ConfigContext): Finding[] {
  const { settings } = context;
  const { discardUnpackedLayers: discard, snapshotters, paths } = settings;
  const findings: Finding[] = [];
  if (discard.value) {
    findings.push({
      id: 'discard-unpacked-layers',
      severity: 'error',
      what: 'discard_unpacked_layers is true: containerd removes layers once they are unpacked, so this node cannot serve them. Images that were pulled so far have to be pulled again',
      seen: [see(context, 'discard_unpacked_layers', discard)],
      fix: fixKey(context, {
        table: paths.images,
        key: 'discard_unpacked_layers',
        value: 'false',
        now: discard,
      }),
    });
  }
  const [main, ...ofRuntimes] = snapshotters.filter(({ value }) => !PLAIN_SNAPSHOTTERS.has(value));
  for (const snapshotter of main === undefined ? [] : [main, ...ofRuntimes]) {
    findings.push({
      id: 'lazy-snapshotter',
      severity: 'warning',
      what: `the snapshotter ${JSON.stringify(snapshotter.value)} may fetch files of a layer when they are needed, and never store the layer: this node cannot serve such images`,
      seen: [see(context, 'snapshotter', snapshotter)],
      fix: fixKey(context, {
        table: paths.images,
        key: 'snapshotter',
        value: '"overlayfs"',
        now: snapshotter,
      }),
    });
  }
  return findings;
}

function see({ config }: ConfigContext, name: string, { value, origin }: Setting<unknown>): string {
  const text = `${name.startsWith('[') ? name : name.trim()} = ${JSON.stringify(value)}`;
  if (origin !== undefined) return `${describeOrigin(config, origin)}: ${text}`;
  return `${config.path}: ${text} (not set; this is the default)`;
}
