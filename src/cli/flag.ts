import { UsageError } from '../commands/usage-error.ts';

/**
 * One flag of a command. It is given as `--name value` or `--name=value`, or by the environment variable of its name;
 * the command line wins. An empty value is the same as none, as a chart writes it for a value that is not set.
 */
export interface Flag<T> {
  /** `list` takes several values and may be repeated; `optional` may stand alone; of the others the last one counts. */
  readonly kind: 'value' | 'list' | 'optional';
  /** Of an `optional` flag: true for a word after it that is its value, and not the command's. */
  readonly isValue?: (word: string) => boolean;
  /** What the help calls the value, e.g. `address`. */
  readonly argument: string;
  readonly help: string;
  /** The default as the help shows it; undefined: none. */
  readonly defaultText: string | undefined;
  /** Parses the texts, at least one, none empty; the message of what it throws is shown. */
  readonly parse: (texts: readonly string[]) => T;
  /** The value when the flag is not given. */
  readonly absent: T;
  /** Not giving it is a usage error. */
  readonly required: boolean;
}

/** Flags by their name in camel case: `mirrorTargets` is `--mirror-targets` and MIRROR_TARGETS. */
export type FlagTable = Readonly<Record<string, Flag<unknown>>>;

/** What readFlags makes of a table. */
export type FlagValues<F extends FlagTable> = {
  readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never;
};

/** `mirrorTargets` to `mirror-targets`. */
export function flagName(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `mirrorTargets` to `MIRROR_TARGETS`. */
export function environmentName(key: string): string {
  return flagName(key).replaceAll('-', '_').toUpperCase();
}

/**
 * The values of the flags, from what the command line gave and else from the environment.
 * Throws UsageError for a value that cannot be used and for a required flag that is absent.
 */
export function readFlags<F extends FlagTable>(
  flags: F,
  given: Readonly<Record<string, readonly string[] | undefined>>,
  environment: Readonly<Record<string, string | undefined>>,
): FlagValues<F> {
  const values = Object.entries(flags).map(([key, flag]) => [key, readFlag(key, flag, given, environment)]);
  return Object.fromEntries(values) as FlagValues<F>;
}

function readFlag(
  key: string,
  flag: Flag<unknown>,
  given: Readonly<Record<string, readonly string[] | undefined>>,
  environment: Readonly<Record<string, string | undefined>>,
): unknown {
  const written = (given[key] ?? []).filter((text) => text !== '');
  const variable = environment[environmentName(key)] ?? '';
  const fromVariable = flag.kind === 'list' ? splitList(variable) : [variable];
  const texts = written.length > 0 ? written : fromVariable.filter((text) => text !== '');
  if (texts.length === 0) {
    if (flag.required) {
      const names = `--${flagName(key)} is required, or ${environmentName(key)} in the environment`;
      throw new UsageError(`${names}: ${flag.help}`);
    }
    return flag.absent;
  }
  const used = flag.kind === 'list' ? texts : texts.slice(-1);
  try {
    return flag.parse(used);
  } catch (error) {
    const source = written.length > 0 ? `--${flagName(key)}` : `${environmentName(key)} in the environment`;
    throw new UsageError(`Cannot use ${source}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

/** Splits at commas; an item that contains commas stands in double quotes, in which `""` is a quote (RFC 4180). */
function splitList(text: string): string[] {
  const items = text.matchAll(/\s*(?:"((?:[^"]|"")*)"|([^,]*))\s*(?:,|$)/g);
  return Array.from(items, ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain?.trim() ?? '');
}
