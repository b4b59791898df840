import { CRI_PLUGIN, IMAGES_PLUGIN, RUNTIME_PLUGIN } from './config-migration.ts';
import type { ContainerdVersion } from './containerd-version.ts';
import { leafAt, mergeDeep, type TomlLeaf, type TomlTree } from './toml-tree.ts';

/** What a setting of containerd's configuration has to be. */
type ValueType = 'text' | 'flag' | 'integer' | 'texts';

/** Settings by their names; `*` is any name, of a table that has names of its own. */
export interface ConfigSchema {
  readonly [name: string]: ValueType | ConfigSchema;
}

/** What is read here at the top of each file (Config in cmd/containerd/server/config). */
export const FILE_SCHEMA: ConfigSchema = {
  version: 'integer',
  root: 'text',
  imports: 'texts',
  disabled_plugins: 'texts',
  grpc: { address: 'text' },
  plugins: {},
};

const AUTH: ConfigSchema = { username: 'text', password: 'text', auth: 'text', identitytoken: 'text' };
const REGISTRY: ConfigSchema = {
  config_path: 'text',
  headers: { '*': 'texts' },
  mirrors: { '*': { endpoint: 'texts' } },
  auths: { '*': AUTH },
};
const TLS: ConfigSchema = {
  insecure_skip_verify: 'flag',
  ca_file: 'text',
  cert_file: 'text',
  key_file: 'text',
};
const REGISTRY_OF_1X: ConfigSchema = { ...REGISTRY, configs: { '*': { auth: AUTH, tls: TLS } } };
const REGISTRY_OF_2X: ConfigSchema = { ...REGISTRY, configs: { '*': { auth: AUTH } } };
const RUNTIMES: ConfigSchema = { runtimes: { '*': { snapshotter: 'text' } } };
const OF_IMAGES: ConfigSchema = {
  snapshotter: 'text',
  discard_unpacked_layers: 'flag',
  disable_snapshot_annotations: 'flag',
};

/** What is read of plugins' sections (pkg/cri/config of 1.x, internal/cri/config of 2.x). */
export const PLUGIN_SCHEMAS: Readonly<Record<'old' | 'new', Readonly<Record<string, ConfigSchema>>>> = {
  old: Object.fromEntries(
    ['cri', CRI_PLUGIN].map((name) => [
      name,
      {
        registry: REGISTRY_OF_1X,
        max_concurrent_downloads: 'integer',
        containerd: { ...OF_IMAGES, ...RUNTIMES },
      },
    ]),
  ),
  new: {
    [IMAGES_PLUGIN]: {
      ...OF_IMAGES,
      registry: REGISTRY_OF_2X,
      max_concurrent_downloads: 'integer',
      use_local_image_pull: 'flag',
      image_pull_with_sync_fs: 'flag',
      runtime_platforms: { '*': { snapshotter: 'text' } },
    },
    [RUNTIME_PLUGIN]: { containerd: RUNTIMES },
  },
};

/** A setting that containerd cannot take for what it is. */
export interface WrongType {
  readonly leaf: TomlLeaf;
  readonly why: string;
}

/**
 * Gives settings the names of the schema, as go-toml does when it fills a structure: 2.x takes a name in any case, 1.x also
 * all in capitals. The name itself counts before its other spellings. Names of plugins and of what a table lists stay.
 */
export function foldKeys(tree: TomlTree, schema: ConfigSchema, { major }: ContainerdVersion): void {
  for (const [key, value] of Array.from(tree)) {
    const lower = key.toLowerCase();
    const isOther = lower !== key && Object.hasOwn(schema, lower) && !Object.hasOwn(schema, key);
    if (!isOther || (major < 2 && key !== key.toUpperCase())) continue;
    const exact = tree.get(lower);
    tree.delete(key);
    if (exact === undefined) tree.set(lower, value);
    else if (major >= 2 && exact instanceof Map && value instanceof Map) {
      mergeDeep(value, exact);
      tree.set(lower, value);
    }
  }
  for (const [key, value] of tree) {
    const inner = Object.hasOwn(schema, key) ? schema[key] : schema['*'];
    if (value instanceof Map && typeof inner === 'object') foldKeys(value, inner, { major, minor: 0 });
  }
}

/** Finds settings with which containerd does not start. */
export function findWrongTypes(tree: TomlTree, schema: ConfigSchema): WrongType[] {
  return Array.from(tree).flatMap(([key, value]) => {
    const wanted = Object.hasOwn(schema, key) ? schema[key] : schema['*'];
    if (wanted === undefined) return [];
    if (typeof wanted === 'object') {
      if (value instanceof Map) return findWrongTypes(value, wanted);
      return [{ leaf: value, why: `${key} is not a table` }];
    }
    if (value instanceof Map) {
      const leaf = firstLeaf(value);
      return leaf === undefined ? [] : [{ leaf, why: `${key} is a table, not ${TYPES[wanted].name}` }];
    }
    return TYPES[wanted].takes(value.value)
      ? []
      : [{ leaf: value, why: `${key} is not ${TYPES[wanted].name}` }];
  });
}

const TYPES: Readonly<
  Record<ValueType, { readonly name: string; readonly takes: (value: unknown) => boolean }>
> = {
  text: { name: 'a text', takes: (value) => typeof value === 'string' },
  flag: { name: 'true or false', takes: (value) => typeof value === 'boolean' },
  integer: {
    name: 'an integer',
    takes: (value) => typeof value === 'bigint' || Number.isInteger(value),
  },
  texts: {
    name: 'a list of texts',
    takes: (value) => Array.isArray(value) && value.every((item) => typeof item === 'string'),
  },
};

function firstLeaf(tree: TomlTree): TomlLeaf | undefined {
  for (const [key, value] of tree) {
    const leaf = value instanceof Map ? firstLeaf(value) : leafAt(tree, [key]);
    if (leaf !== undefined) return leaf;
  }
  return undefined;
}
