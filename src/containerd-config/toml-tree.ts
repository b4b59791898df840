import { TomlError, parse } from 'smol-toml';
import { describeTomlError } from './toml-problem.ts';

/** Where a value was written. */
export interface TomlOrigin {
  readonly file: string;
  /** The keys that lead to it in that file. */
  readonly path: readonly string[];
}

/** A value with its origin. */
export interface TomlLeaf {
  readonly value: unknown;
  readonly origin: TomlOrigin;
}

/** A table. Merged ones have values of several files. */
export type TomlTree = Map<string, TomlTree | TomlLeaf>;

/** Thrown by parseTomlTree; the message says where and what. */
export class InvalidTomlError extends Error {
  override readonly name = 'InvalidTomlError';
  readonly code = 'INVALID_TOML';
}

/** Parses a TOML file into a tree of its own or throws InvalidTomlError. */
export function parseTomlTree(text: string, file: string): TomlTree {
  try {
    return toTree(parse(text, { integersAsBigInt: 'asNeeded' }), file, []);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw new InvalidTomlError(describeTomlError(error));
  }
}

/** The keys of a table header such as `[plugins."a.b".c]`, undefined for any other line. */
export function parseTableHeader(line: string): readonly string[] | undefined {
  if (!/^\s*\[[^[]/.test(line)) return undefined;
  try {
    const keys: string[] = [];
    let table: unknown = parse(line);
    while (isTable(table)) {
      const [key] = Object.keys(table);
      if (key === undefined) break;
      keys.push(key);
      table = table[key];
    }
    return keys;
  } catch {
    return undefined;
  }
}

/** What is at the end of the path, undefined if there is nothing. */
export function treeAt(tree: TomlTree, path: readonly string[]): TomlTree | TomlLeaf | undefined {
  let found: TomlTree | TomlLeaf | undefined = tree;
  for (const key of path) found = found instanceof Map ? found.get(key) : undefined;
  return found;
}

/** The table at the end of the path, undefined if there is none. */
export function tableAt(tree: TomlTree, path: readonly string[]): TomlTree | undefined {
  const found = treeAt(tree, path);
  return found instanceof Map ? found : undefined;
}

/** The value at the end of the path, undefined if there is none. */
export function leafAt(tree: TomlTree, path: readonly string[]): TomlLeaf | undefined {
  const found = treeAt(tree, path);
  return found instanceof Map ? undefined : found;
}

/** Puts a value or a table at the end of the path, making the tables on the way. */
export function setAt(tree: TomlTree, path: readonly string[], value: TomlTree | TomlLeaf): void {
  let table = tree;
  for (const key of path.slice(0, -1)) {
    const next = table.get(key);
    if (next instanceof Map) table = next;
    else {
      const made: TomlTree = new Map();
      table.set(key, made);
      table = made;
    }
  }
  table.set(path.at(-1) ?? '', value);
}

/** Takes over what is in `from`, key by key. */
export function mergeDeep(to: TomlTree, from: TomlTree): void {
  for (const [key, value] of from) {
    const before = to.get(key);
    if (before instanceof Map && value instanceof Map) mergeDeep(before, value);
    else to.set(key, copyOf(value));
  }
}

/** A copy that can be changed; values keep their origin. */
export function copyOf(value: TomlTree | TomlLeaf): TomlTree | TomlLeaf {
  if (!(value instanceof Map)) return value;
  return new Map(Array.from(value, ([key, inner]) => [key, copyOf(inner)]));
}

function toTree(table: Readonly<Record<string, unknown>>, file: string, path: readonly string[]): TomlTree {
  return new Map(
    Object.entries(table).map(([key, value]) => {
      const inner = [...path, key];
      return [key, isTable(value) ? toTree(value, file, inner) : { value, origin: { file, path: inner } }];
    }),
  );
}

/** A table, and none of the classes that dates have. */
function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
