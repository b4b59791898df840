import { dirname, isAbsolute, join, normalize } from 'node:path';
import { hostPath, type HostRoot } from '../runtime/host-root.ts';
import { isPermissionError } from '../runtime/permission-error.ts';
import { fullPluginName, migrateCriPlugin, renameVersion1Plugins } from './config-migration.ts';
import { FILE_SCHEMA, findWrongTypes, foldKeys, PLUGIN_SCHEMAS, type WrongType } from './config-schema.ts';
import { configVersionOf, type ContainerdVersion, isAtLeast } from './containerd-version.ts';
import { BadGlobError, expandGoGlob } from './go-glob.ts';
import { findUnreadToml, formatUnreadToml, scanToml } from './toml-scan.ts';
import {
  copyOf,
  InvalidTomlError,
  leafAt,
  mergeDeep,
  parseTomlTree,
  tableAt,
  treeAt,
  type TomlOrigin,
  type TomlTree,
} from './toml-tree.ts';

/** A plugin's section that counts no more, because a file that was read later has one too. */
export interface LostSection {
  readonly plugin: string;
  readonly section: TomlTree;
  /** The file whose section replaced it. */
  readonly replacedBy: string;
}

/** Why a file cannot be used. */
export interface ConfigProblem {
  readonly file: string;
  readonly reason: string;
  /** True: the user of this process may not read it. containerd, which is root, may. */
  readonly isForbidden: boolean;
}

/** Something in a file for which containerd does not start. */
export interface ConfigRefusal {
  readonly origin: TomlOrigin;
  readonly why: string;
}

/** containerd's configuration as one version of it makes it from the files. Paths are the host's. */
export interface EffectiveConfig {
  /** The file that containerd was started with. */
  readonly path: string;
  /** The text of every file that was read, in the order in which they count. */
  readonly files: ReadonlyMap<string, string>;
  /** The `imports` of all files that have a wildcard, made absolute. */
  readonly globs: readonly string[];
  /** Files that cannot be read or are no TOML; containerd does not start with such. */
  readonly problems: readonly ConfigProblem[];
  /** What containerd does not start with, although it is TOML. */
  readonly refusals: readonly ConfigRefusal[];
  /** `disabled_plugins` of all files, as the version reads them. */
  readonly disabledPlugins: ReadonlyArray<{ readonly name: string; readonly origin: TomlOrigin }>;
  /** Everything merged, and migrated to what the version reads. */
  readonly tree: TomlTree;
  /** The version by which plugins are looked up: 1 by ID, later by type and ID. */
  readonly configVersion: number;
  readonly lost: readonly LostSection[];
}

/** More files than anybody has; the limit only has to end. */
const MAX_FILES = 200;

/**
 * Reads a config.toml with its imports, in the order and with the rules of that version of containerd (LoadConfig and
 * mergeConfig in services/server/config and cmd/containerd/server/config): breadth first, later files win. 1.x
 * replaces a plugin's section as a whole; 2.x merges key by key, and migrates files of an older version.
 * A main file that is absent is one without settings. Never rejects for what is in the files.
 */
export async function readEffectiveConfig(
  host: HostRoot,
  path: string,
  version: ContainerdVersion,
): Promise<EffectiveConfig> {
  const files = new Map<string, string>();
  const problems: ConfigProblem[] = [];
  const refusals: ConfigRefusal[] = [];
  const disabled: Array<EffectiveConfig['disabledPlugins'][number]> = [];
  const lost: LostSection[] = [];
  const globs: string[] = [];
  const tree: TomlTree = new Map();
  const newest = configVersionOf(version);
  let configVersion = version.major < 2 ? 0 : newest;
  let versionOrigin: TomlOrigin = { file: normalize(path), path: ['version'] };
  let rootVersion = 0;

  const pending = [normalize(path)];
  for (let file = pending.shift(); file !== undefined && files.size < MAX_FILES; file = pending.shift()) {
    if (files.has(file) || problems.some((problem) => problem.file === file)) continue;
    const text = await host.readText(file).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      problems.push({ file, reason, isForbidden: isPermissionError(error) });
    });
    if (text === undefined) {
      const isMissing = file !== normalize(path) && problems.at(-1)?.file !== file;
      const reason = 'it is imported, and there is no such file';
      if (isMissing) problems.push({ file, reason, isForbidden: false });
      continue;
    }
    files.set(file, text);
    let own: TomlTree;
    try {
      own = parseConfigFile(text, file, version);
    } catch (error) {
      if (!(error instanceof InvalidTomlError)) throw error;
      problems.push({ file, reason: error.message, isForbidden: false });
      continue;
    }
    foldKeys(own, FILE_SCHEMA, version);
    refusals.push(...findWrongTypes(own, FILE_SCHEMA).map(refusalOf));
    const written = leafAt(own, ['version']);
    let ownVersion = Number(written?.value ?? 0);
    if (written !== undefined && ownVersion !== 0) versionOrigin = written.origin;
    if (rootVersion === 0) rootVersion = ownVersion;
    // LoadConfigWithPlugins of 2.3 compares each file, before it migrates it.
    if (newest >= 4 && ownVersion > rootVersion) {
      const why = `version = ${ownVersion}, and the main file has version ${rootVersion}: from 2.3 on containerd does not start with a drop-in of a higher version`;
      refusals.push({ origin: versionOrigin, why });
    }
    const isMigrated = version.major >= 2 && ownVersion < 2;
    const off = leafAt(own, ['disabled_plugins']);
    for (const name of off === undefined ? [] : textsOf(off.value)) {
      disabled.push({ name: isMigrated ? fullPluginName(name) : name, origin: off?.origin ?? versionOrigin });
    }
    if (isMigrated) {
      renameVersion1Plugins(own);
      if (newest < 4) ownVersion = configVersion;
    }
    // From 2.3 on each file is migrated by itself, before that all of them together.
    if (newest >= 4 && ownVersion < newest) {
      migrateCriPlugin(own);
      ownVersion = newest;
    }
    if (ownVersion !== 0) configVersion = ownVersion;
    if (version.major < 2) replacePlugins(tree, own, { file, lost });
    mergeDeep(tree, own);
    const imports = await resolveImports(host, own, { version, file, globs, problems, refusals });
    pending.push(...imports);
  }
  if (version.major >= 2 && configVersion < newest) migrateCriPlugin(tree);
  const plugins = tableAt(tree, ['plugins']) ?? new Map();
  const schemas = PLUGIN_SCHEMAS[version.major < 2 ? 'old' : 'new'];
  for (const [name, schema] of Object.entries(schemas)) {
    const section = plugins.get(name);
    if (section instanceof Map) foldKeys(section, schema, version);
  }
  refusals.push(
    ...findWrongTypes(plugins, schemas).map(refusalOf),
    ...refusedVersion({ configVersion, origin: versionOrigin, mainFile: normalize(path) }, version),
    ...refusedNames(tree, disabled, { configVersion, version }),
  );
  return {
    path: normalize(path),
    files,
    globs,
    problems,
    refusals,
    disabledPlugins: disabled,
    tree,
    configVersion: configVersion || 1,
    lost,
  };
}

function parseConfigFile(text: string, file: string, { major }: ContainerdVersion): TomlTree {
  const tree = parseTomlTree(text, file);
  const unread = findUnreadToml(scanToml(text), major);
  if (unread === undefined) return tree;
  throw new InvalidTomlError(`line ${unread.line}: ${formatUnreadToml(unread, major)}`);
}

function refusalOf({ leaf, why }: WrongType): ConfigRefusal {
  return { origin: leaf.origin, why: `${why}: containerd does not start with that` };
}

/** ValidateV2 (1.7, not 1.6) and ValidateVersion (2.x). */
function refusedVersion(
  {
    configVersion,
    origin,
    mainFile,
  }: {
    readonly configVersion: number;
    readonly origin: TomlOrigin;
    readonly mainFile: string;
  },
  version: ContainerdVersion,
): ConfigRefusal[] {
  const newest = configVersionOf(version);
  if (configVersion <= newest || !isAtLeast(version, 1, 7)) return [];
  const name = `${version.major}.${version.minor}`;
  const ofDropIn =
    origin.file === mainFile
      ? ''
      : '; from 2.3 on it does not start with a drop-in of a higher version than the main file has';
  const why = `version = ${configVersion}: containerd ${name} does not start with more than ${newest}${ofDropIn}`;
  return [{ origin, why }];
}

/** Names of plugins are `io.containerd.type.v1.id` from version 2 of the file on; containerd 2.x minds it in `disabled_plugins` alone. */
function refusedNames(
  tree: TomlTree,
  disabled: EffectiveConfig['disabledPlugins'],
  { configVersion, version }: { readonly configVersion: number; readonly version: ContainerdVersion },
): ConfigRefusal[] {
  const isNew = version.major >= 2;
  if (!isNew && configVersion < 2) return [];
  const isFull = (name: string) => (isNew ? name.includes('.') : /^io\.containerd\.[^.]*\../.test(name));
  const why = (name: string) =>
    `${JSON.stringify(name)} is not the full name of a plugin, such as io.containerd.grpc.v1.cri: containerd does not start with that in a file of version ${isNew ? 'two or later' : configVersion}`;
  const sections = isNew ? [] : Array.from(tableAt(tree, ['plugins'])?.keys() ?? []);
  return [
    ...disabled.filter(({ name }) => !isFull(name)).map(({ name, origin }) => ({ origin, why: why(name) })),
    ...sections
      .filter((name) => !isFull(name))
      .map((name) => ({ origin: originOf(tree, ['plugins', name]), why: why(name) })),
  ];
}

/** Where a table was written, by what is in it. */
function originOf(tree: TomlTree, path: readonly string[]): TomlOrigin {
  const found = treeAt(tree, path);
  if (!(found instanceof Map)) return found?.origin ?? { file: '', path };
  for (const key of found.keys()) {
    const { file, path: whole } = originOf(tree, [...path, key]);
    if (file !== '') return { file, path: whole.slice(0, path.length) };
  }
  return { file: '', path };
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function replacePlugins(
  tree: TomlTree,
  own: TomlTree,
  { file, lost }: { readonly file: string; readonly lost: LostSection[] },
): void {
  const plugins = tableAt(tree, ['plugins']);
  for (const plugin of tableAt(own, ['plugins'])?.keys() ?? []) {
    const before = plugins?.get(plugin);
    if (!(before instanceof Map)) continue;
    lost.push({ plugin, section: copyOf(before) as TomlTree, replacedBy: file });
    plugins?.delete(plugin);
  }
}

async function resolveImports(
  host: HostRoot,
  own: TomlTree,
  {
    version,
    file,
    globs,
    problems,
    refusals,
  }: {
    readonly version: ContainerdVersion;
    readonly file: string;
    readonly globs: string[];
    readonly problems: ConfigProblem[];
    readonly refusals: ConfigRefusal[];
  },
): Promise<string[]> {
  const found: string[] = [];
  const leaf = leafAt(own, ['imports']);
  for (const entry of textsOf(leaf?.value)) {
    // Of 1.6 a pattern counts from the folder that it runs in, which a service has at `/`.
    const isFromRoot = !isAtLeast(version, 1, 7) && entry.includes('*');
    const path = isAbsolute(entry) ? normalize(entry) : hostPath(isFromRoot ? '/' : dirname(file), entry);
    // containerd takes nothing else for a pattern.
    if (!path.includes('*')) {
      found.push(path);
      continue;
    }
    globs.push(path);
    try {
      const { paths, forbidden } = await expandGoGlob(host, path);
      found.push(...paths);
      for (const folder of forbidden) {
        problems.push({ file: join(folder, '*'), reason: 'this user may not list it', isForbidden: true });
      }
    } catch (error) {
      if (!(error instanceof BadGlobError)) throw error;
      refusals.push({
        origin: leaf?.origin ?? { file, path: ['imports'] },
        why: `imports has ${JSON.stringify(entry)}, which is not a pattern that can be read: containerd does not start with that`,
      });
    }
  }
  return found;
}
