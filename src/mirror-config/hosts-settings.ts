import type { ContainerdVersion } from '../containerd-config/containerd-version.ts';

/** A table of a hosts.toml. */
type Table = Readonly<Record<string, unknown>>;

/**
 * The entries of a table that containerd takes for a key, the last one counts. go-toml 2 takes it in any case, go-toml 1
 * in capitals where it is not there as it is.
 */
export function spellingsOf(
  table: Table,
  key: string,
  { major }: Pick<ContainerdVersion, 'major'>,
): ReadonlyArray<readonly [name: string, value: unknown]> {
  const entries = Object.entries(table);
  if (major >= 2) return entries.filter(([name]) => name.toLowerCase() === key);
  const own = entries.filter(([name]) => name === key);
  return own.length > 0 ? own : entries.filter(([name]) => name === key.toUpperCase());
}

/** What that version of containerd reads for a key, undefined if there is nothing. */
export function settingOf(table: Table, key: string, version: Pick<ContainerdVersion, 'major'>): unknown {
  return spellingsOf(table, key, version).at(-1)?.[1];
}

/** The table without a key in any case. */
export function withoutSetting(table: Table, ...keys: readonly string[]): Table {
  return Object.fromEntries(Object.entries(table).filter(([name]) => !keys.includes(name.toLowerCase())));
}

/** A table, and none of the classes that dates have. */
export function isTable(value: unknown): value is Table {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
