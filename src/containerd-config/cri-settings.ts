import { CRI_PLUGIN, IMAGES_PLUGIN, RUNTIME_PLUGIN } from './config-migration.ts';
import { isAtLeast, type ContainerdVersion } from './containerd-version.ts';
import type { EffectiveConfig } from './effective-config.ts';
import { leafAt, tableAt, type TomlLeaf, type TomlOrigin, type TomlTree } from './toml-tree.ts';
import { findKeyLine, findTableLine } from './toml-lines.ts';

/** A setting: what counts, and where it was written; undefined: it is containerd's default. */
export interface Setting<T> {
  readonly value: T;
  readonly origin: TomlOrigin | undefined;
}

/** What containerd's configuration says about pulling images. */
export interface CriSettings {
  readonly root: Setting<string>;
  readonly socket: Setting<string>;
  /** Where hosts.toml folders are looked for: one folder, or several with colons between them; empty: nowhere. */
  readonly configPath: Setting<string>;
  /** Registries with settings in the deprecated tables. */
  readonly mirrors: readonly string[];
  readonly configs: readonly string[];
  readonly configsWithTls: readonly string[];
  readonly discardUnpackedLayers: Setting<boolean>;
  /** Of the CRI, and by runtime where they have their own. */
  readonly snapshotters: readonly Setting<string>[];
  /** True if pulls of the CRI go through the transfer service, which reads `config_path` as one folder. */
  readonly usesTransferService: boolean;
  /** Where the CRI is switched off; empty: it is not. */
  readonly disabledBy: EffectiveConfig['disabledPlugins'];
  /** The keys that lead to the tables; a fix is written with them. */
  readonly paths: {
    readonly registry: readonly string[];
    /** The table that has `discard_unpacked_layers` and `snapshotter`. */
    readonly images: readonly string[];
  };
  /** Values of `config_path` and `discard_unpacked_layers` that are written and do not count. */
  readonly unused: ReadonlyArray<{ readonly leaf: TomlLeaf; readonly why: string }>;
}

/** The default of `config_path` from 2.2 on (plugins/cri/images). */
const DEFAULT_CONFIG_PATH = '/etc/containerd/certs.d:/etc/docker/certs.d';

/** Reads the settings as the version does. */
export function readCriSettings(config: EffectiveConfig, version: ContainerdVersion): CriSettings {
  const { tree } = config;
  const isNew = version.major >= 2;
  // The short name counts in a file without a version; where there is no file, the one to be written says its version.
  const isUnversioned = config.configVersion < 2 && config.files.size > 0;
  const plugin = isNew ? IMAGES_PLUGIN : isUnversioned ? 'cri' : CRI_PLUGIN;
  const base = ['plugins', plugin];
  const images = isNew ? base : [...base, 'containerd'];
  const registry = [...base, 'registry'];
  const text = (path: readonly string[], absent: string) => setting(tree, path, absent, isText);
  const flag = (path: readonly string[], absent: boolean) => setting(tree, path, absent, isFlag);

  const names = (key: string) => Array.from(tableAt(tree, [...registry, key])?.keys() ?? []);
  const mirrors = names('mirrors');
  const configs = names('configs');
  const written = text([...registry, 'config_path'], '');
  const hasDefault = isAtLeast(version, 2, 2) && written.value === '' && mirrors.length === 0;
  const configPath = hasDefault ? { value: DEFAULT_CONFIG_PATH, origin: undefined } : written;
  const discard = flag([...images, 'discard_unpacked_layers'], false);
  const downloads = leafAt(tree, [...base, 'max_concurrent_downloads'])?.value ?? 3;
  // CheckLocalImagePullConfigs in internal/cri/config.
  const forcesLocalPull =
    flag([...base, 'use_local_image_pull'], false).value ||
    !flag([...base, 'disable_snapshot_annotations'], true).value ||
    discard.value ||
    mirrors.length > 0 ||
    configs.length > 0 ||
    names('auths').length > 0 ||
    downloads !== 3 ||
    flag([...base, 'image_pull_with_sync_fs'], false).value;

  const isCri = new Set(
    isNew
      ? [CRI_PLUGIN, IMAGES_PLUGIN, RUNTIME_PLUGIN]
      : // 1.x knows plugins by their ID alone where no file has a version.
        [config.configVersion < 2 ? 'cri' : CRI_PLUGIN],
  );

  return {
    root: text(['root'], '/var/lib/containerd'),
    socket: text(['grpc', 'address'], '/run/containerd/containerd.sock'),
    configPath,
    mirrors,
    configs,
    configsWithTls: configs.filter(
      (name) => tableAt(tree, [...registry, 'configs', name, 'tls']) !== undefined,
    ),
    discardUnpackedLayers: discard,
    snapshotters: [
      text([...images, 'snapshotter'], 'overlayfs'),
      ...runtimeSnapshotters(tree, base, version),
    ],
    usesTransferService: isAtLeast(version, 2, 1) && !forcesLocalPull,
    disabledBy: config.disabledPlugins.filter(({ name }) => isCri.has(name)),
    paths: { registry, images },
    unused: findUnused(config, version, [written.origin, discard.origin]),
  };
}

/** `file:line` of where a setting or a table was written, `file` where the line cannot be told. */
export function describeOrigin(config: EffectiveConfig, { file, path }: TomlOrigin): string {
  const text = config.files.get(file) ?? '';
  const line = findKeyLine(text, path) ?? findTableLine(text, path);
  return line === undefined ? file : `${file}:${line}`;
}

/** Those that pulls for a runtime use, from 1.7 on: 2.x has them by platform, and from 2.3 on takes those of the runtimes too (plugins/cri). */
function runtimeSnapshotters(
  tree: TomlTree,
  base: readonly string[],
  version: ContainerdVersion,
): Setting<string>[] {
  if (!isAtLeast(version, 1, 7)) return [];
  const tables =
    version.major < 2
      ? [[...base, 'containerd', 'runtimes']]
      : [
          [...base, 'runtime_platforms'],
          ...(isAtLeast(version, 2, 3) ? [['plugins', RUNTIME_PLUGIN, 'containerd', 'runtimes']] : []),
        ];
  const byRuntime = new Map<string, Setting<string>>();
  for (const table of tables) {
    for (const name of tableAt(tree, table)?.keys() ?? []) {
      const leaf = leafAt(tree, [...table, name, 'snapshotter']);
      if (!isText(leaf?.value) || leaf.value === '' || byRuntime.get(name)?.value === leaf.value) continue;
      byRuntime.set(name, { value: leaf.value, origin: leaf.origin });
    }
  }
  return Array.from(byRuntime.values());
}

/** Where the settings are in the sections of every version. */
const EVERYWHERE = [
  ['cri', 'registry', 'config_path'],
  [CRI_PLUGIN, 'registry', 'config_path'],
  [IMAGES_PLUGIN, 'registry', 'config_path'],
  ['cri', 'containerd', 'discard_unpacked_layers'],
  [CRI_PLUGIN, 'containerd', 'discard_unpacked_layers'],
  [IMAGES_PLUGIN, 'discard_unpacked_layers'],
];

function findUnused(
  { tree, lost }: EffectiveConfig,
  { major, minor }: ContainerdVersion,
  used: ReadonlyArray<TomlOrigin | undefined>,
): CriSettings['unused'] {
  const why = `containerd ${major}.${minor} does not read this section of a file of this version`;
  const unread = EVERYWHERE.flatMap((path) => {
    const leaf = leafAt(tree, ['plugins', ...path]);
    return leaf === undefined || used.includes(leaf.origin) ? [] : [{ leaf, why }];
  });
  const replaced = lost.flatMap(({ plugin, section, replacedBy }) =>
    EVERYWHERE.flatMap(([name = '', ...path]) => {
      const leaf = name === plugin ? leafAt(section, path) : undefined;
      const why = `${replacedBy} has a section of this plugin too, and containerd ${major}.${minor} takes the last one whole`;
      return leaf === undefined ? [] : [{ leaf, why }];
    }),
  );
  return [...replaced, ...unread];
}

function setting<T>(
  tree: TomlTree,
  path: readonly string[],
  absent: T,
  is: (value: unknown) => value is T,
): Setting<T> {
  const leaf = leafAt(tree, path);
  return leaf !== undefined && is(leaf.value)
    ? { value: leaf.value, origin: leaf.origin }
    : { value: absent, origin: undefined };
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isFlag(value: unknown): value is boolean {
  return typeof value === 'boolean';
}
