import { dirname, isAbsolute, join, normalize } from 'node:path';
import { hostPath, type HostRoot } from '../runtime/host-root.ts';
import { isPermissionError } from '../runtime/permission-error.ts';
import { fullPluginName, migrateCriPlugin, renameVersion1Plugins } from './config-migration.ts';
import { FILE_SCHEMA, findWrongTypes, foldKeys, PLUGIN_SCHEMAS } from './config-schema.ts';
import {
  type ConfigRefusal,
  type DisabledPlugin,
  refusalOf,
  refusedNames,
  refusedVersion,
} from './config-refusals.ts';
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
  readonly disabledPlugins: readonly DisabledPlugin[];
  /** Everything merged, and migrated to what the version reads. */
  readonly tree: TomlTree;
  /** The version by which plugins are looked up: 1 by ID, later by type and ID. */
  readonly configVersion: number;
  readonly lost: readonly LostSection[];
}

/** More files than anybody has; the limit only has to end. */
const MAX_FILES = 200;

/** What has been read until now. */
interface Reading {
  readonly version: ContainerdVersion;
  /** The version of the file that this version of containerd writes. */
  readonly newest: number;
  readonly mainFile: string;
  readonly files: Map<string, string>;
  readonly problems: ConfigProblem[];
  readonly refusals: ConfigRefusal[];
  readonly disabled: DisabledPlugin[];
  readonly lost: LostSection[];
  readonly globs: string[];
  readonly tree: TomlTree;
  configVersion: number;
  /** Where the last version was written. */
  versionOrigin: TomlOrigin;
  /** The version of the main file; 0: it has none. */
  rootVersion: number;
}

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
  const newest = configVersionOf(version);
  const mainFile = normalize(path);
  const reading: Reading = {
    version,
    newest,
    mainFile,
    files: new Map(),
    problems: [],
    refusals: [],
    disabled: [],
    lost: [],
    globs: [],
    tree: new Map(),
    configVersion: version.major < 2 ? 0 : newest,
    versionOrigin: { file: mainFile, path: ['version'] },
    rootVersion: 0,
  };
  const { files, problems, refusals, disabled, tree } = reading;

  const pending = [mainFile];
  for (let file = pending.shift(); file !== undefined && files.size < MAX_FILES; file = pending.shift()) {
    if (files.has(file) || problems.some((problem) => problem.file === file)) continue;
    const own = await readConfigFile(host, file, reading);
    if (own === undefined) continue;
    mergeConfigFile(own, file, reading);
    pending.push(...(await resolveImports(host, own, file, reading)));
  }
  const { configVersion, versionOrigin } = reading;
  if (version.major >= 2 && configVersion < newest) migrateCriPlugin(tree);
  const plugins = tableAt(tree, ['plugins']) ?? new Map();
  const schemas = PLUGIN_SCHEMAS[version.major < 2 ? 'old' : 'new'];
  for (const [name, schema] of Object.entries(schemas)) {
    const section = plugins.get(name);
    if (section instanceof Map) foldKeys(section, schema, version);
  }
  refusals.push(
    ...findWrongTypes(plugins, schemas).map(refusalOf),
    ...refusedVersion({ configVersion, origin: versionOrigin, mainFile }, version),
    ...refusedNames(tree, disabled, { configVersion, version }),
  );
  return {
    path: mainFile,
    files,
    globs: reading.globs,
    problems,
    refusals,
    disabledPlugins: disabled,
    tree,
    configVersion: configVersion || 1,
    lost: reading.lost,
  };
}

/** The settings of one file; undefined when it has none, or why it has none is a problem. */
async function readConfigFile(
  host: HostRoot,
  file: string,
  { version, mainFile, files, problems, refusals }: Reading,
): Promise<TomlTree | undefined> {
  const text = await host.readText(file).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    problems.push({ file, reason, isForbidden: isPermissionError(error) });
  });
  if (text === undefined) {
    const isMissing = file !== mainFile && problems.at(-1)?.file !== file;
    const reason = 'it is imported, and there is no such file';
    if (isMissing) problems.push({ file, reason, isForbidden: false });
    return undefined;
  }
  files.set(file, text);
  try {
    const own = parseConfigFile(text, file, version);
    foldKeys(own, FILE_SCHEMA, version);
    refusals.push(...findWrongTypes(own, FILE_SCHEMA).map(refusalOf));
    return own;
  } catch (error) {
    if (!(error instanceof InvalidTomlError)) throw error;
    problems.push({ file, reason: error.message, isForbidden: false });
    return undefined;
  }
}

/** Adds the settings of one file to those of the files before it. */
function mergeConfigFile(own: TomlTree, file: string, reading: Reading): void {
  const { version, newest, refusals, disabled, tree, lost } = reading;
  const written = leafAt(own, ['version']);
  let ownVersion = Number(written?.value ?? 0);
  if (written !== undefined && ownVersion !== 0) reading.versionOrigin = written.origin;
  if (reading.rootVersion === 0) reading.rootVersion = ownVersion;
  const origin = reading.versionOrigin;
  // LoadConfigWithPlugins of 2.3 compares each file, before it migrates it.
  if (newest >= 4 && ownVersion > reading.rootVersion) {
    const why = `version = ${ownVersion}, and the main file has version ${reading.rootVersion}: from 2.3 on containerd does not start with a drop-in of a higher version`;
    refusals.push({ origin, why });
  }
  const isMigrated = version.major >= 2 && ownVersion < 2;
  const off = leafAt(own, ['disabled_plugins']);
  for (const name of off === undefined ? [] : textsOf(off.value)) {
    disabled.push({ name: isMigrated ? fullPluginName(name) : name, origin: off?.origin ?? origin });
  }
  if (isMigrated) {
    renameVersion1Plugins(own);
    if (newest < 4) ownVersion = reading.configVersion;
  }
  // From 2.3 on each file is migrated by itself, before that all of them together.
  if (newest >= 4 && ownVersion < newest) {
    migrateCriPlugin(own);
    ownVersion = newest;
  }
  if (ownVersion !== 0) reading.configVersion = ownVersion;
  if (version.major < 2) replacePlugins(tree, own, { file, lost });
  mergeDeep(tree, own);
}

function parseConfigFile(text: string, file: string, { major }: ContainerdVersion): TomlTree {
  const tree = parseTomlTree(text, file);
  const unread = findUnreadToml(scanToml(text), major);
  if (unread === undefined) return tree;
  throw new InvalidTomlError(`line ${unread.line}: ${formatUnreadToml(unread, major)}`);
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
  file: string,
  { version, globs, problems, refusals }: Reading,
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
