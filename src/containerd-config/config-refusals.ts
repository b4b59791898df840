import type { WrongType } from './config-schema.ts';
import { configVersionOf, type ContainerdVersion, isAtLeast } from './containerd-version.ts';
import { tableAt, treeAt, type TomlOrigin, type TomlTree } from './toml-tree.ts';

/** Something in a file for which containerd does not start. */
export interface ConfigRefusal {
  readonly origin: TomlOrigin;
  readonly why: string;
}

/** An entry of `disabled_plugins`. */
export interface DisabledPlugin {
  readonly name: string;
  readonly origin: TomlOrigin;
}

/** Why containerd does not start with a value of another type than it expects. */
export function refusalOf({ leaf, why }: WrongType): ConfigRefusal {
  return { origin: leaf.origin, why: `${why}: containerd does not start with that` };
}

/** ValidateV2 (1.7, not 1.6) and ValidateVersion (2.x). */
export function refusedVersion(
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
export function refusedNames(
  tree: TomlTree,
  disabled: readonly DisabledPlugin[],
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
