import type { FlagTable } from '../../src/cli/flag.ts';

/** `mirrorTargets` to `mirror-targets`, as flagName() does. */
type Kebab<Key extends string> = Key extends `${infer Letter}${infer Rest}`
  ? `${Letter extends Lowercase<Letter> ? Letter : `-${Lowercase<Letter>}`}${Kebab<Rest>}`
  : Key;

/**
 * One entry for each flag of a table, by its name without dashes, and no others: a flag that has none is an error of the
 * types, in the file of the tests that want it.
 */
export type FlagRows<Flags extends FlagTable, Row> = {
  readonly [Key in keyof Flags & string as Kebab<Key>]: Row;
};

/** What is given to a command: flags by name without dashes, each with one value or several. */
export type Settings = Readonly<Record<string, string | readonly string[]>>;

/** The two ways to give a setting. */
export const WAYS = ['flag', 'environment'] as const;
export type Way = (typeof WAYS)[number];

/** Arguments and environment for the binary. */
export interface Given {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Hands settings over one way or the other. */
export function give(settings: Settings, way: Way): Given {
  const entries = Object.entries(settings).map(([flag, value]) => [flag, [value].flat()] as const);
  if (way === 'flag') return { args: entries.flatMap(([flag, values]) => [`--${flag}`, ...values]), env: {} };
  return {
    args: [],
    env: Object.fromEntries(entries.map(([flag, values]) => [variableOf(flag), values.join(',')])),
  };
}

/** The environment variable of a flag. */
function variableOf(flag: string): string {
  return flag.replaceAll('-', '_').toUpperCase();
}
