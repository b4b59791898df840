import { dirname, isAbsolute, normalize } from 'node:path';
import { hostPath, type HostRoot } from '../runtime/host-root.ts';
import { isPermissionError } from '../runtime/permission-error.ts';
import { migrateCriPlugin, renameVersion1Plugins } from './config-migration.ts';
import { configVersionOf, type ContainerdVersion } from './containerd-version.ts';
import {
  copyOf,
  InvalidTomlError,
  leafAt,
  mergeDeep,
  parseTomlTree,
  tableAt,
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
  const lost: LostSection[] = [];
  const globs: string[] = [];
  const tree: TomlTree = new Map();
  const newest = configVersionOf(version);
  let configVersion = version.major < 2 ? 0 : newest;

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
      own = parseTomlTree(text, file);
    } catch (error) {
      if (!(error instanceof InvalidTomlError)) throw error;
      problems.push({ file, reason: error.message, isForbidden: false });
      continue;
    }
    let ownVersion = Number(leafAt(own, ['version'])?.value ?? 0);
    if (version.major >= 2 && ownVersion < 2) {
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
    const imports = await resolveImports(host, file, leafAt(own, ['imports'])?.value, globs);
    pending.push(...imports);
  }
  if (version.major >= 2 && configVersion < newest) migrateCriPlugin(tree);
  return { path: normalize(path), files, globs, problems, tree, configVersion: configVersion || 1, lost };
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
  parent: string,
  imports: unknown,
  globs: string[],
): Promise<string[]> {
  const found: string[] = [];
  for (const entry of Array.isArray(imports) ? imports : []) {
    if (typeof entry !== 'string' || entry === '') continue;
    const path = isAbsolute(entry) ? normalize(entry) : hostPath(dirname(parent), entry);
    if (!path.includes('*')) found.push(path);
    else {
      globs.push(path);
      found.push(...(await expandGlob(host, path)));
    }
  }
  return found;
}

/** Go's filepath.Glob with `*` alone, which matches within one name; sorted. What cannot be read matches nothing, as there. */
async function expandGlob(host: HostRoot, glob: string): Promise<string[]> {
  let paths = ['/'];
  for (const part of glob.split('/').filter((name) => name !== '')) {
    if (!part.includes('*')) {
      paths = paths.map((path) => hostPath(path, part));
      continue;
    }
    const pattern = new RegExp(`^${part.split('*').map(escapeRegExp).join('.*')}$`, 's');
    const next: string[] = [];
    for (const path of paths) {
      const names = (await host.readNames(path).catch(() => undefined)) ?? [];
      next.push(...names.filter((name) => pattern.test(name)).map((name) => hostPath(path, name)));
    }
    paths = next;
  }
  return paths;
}

function escapeRegExp(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
