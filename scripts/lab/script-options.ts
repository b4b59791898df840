import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';

/** What a script that people type says about itself. */
export interface ScriptUsage<T extends ParseArgsOptionsConfig> {
  /** How it is typed, such as `scripts/bench/run`. */
  readonly script: string;
  /** Printed for --help. */
  readonly usage: string;
  /** As parseArgs has them; --help is added. */
  readonly options?: T;
  /** How many arguments that are not options it takes. Default 0. */
  readonly maxPositionals?: number;
}

/** Parses this process's arguments. With --help it prints the usage and exits with 0, with wrong arguments it refuses. */
export function readScriptOptions<T extends ParseArgsOptionsConfig>({
  script,
  usage,
  options,
  maxPositionals = 0,
}: ScriptUsage<T>) {
  try {
    const config = { ...options, help: { type: 'boolean', short: 'h', default: false } } as T & {
      help: { type: 'boolean'; short: 'h'; default: false };
    };
    const parsed = parseArgs({ options: config, allowPositionals: true });
    if ((parsed.values as { readonly help: boolean }).help) {
      console.log(usage);
      process.exit(0);
    }
    const extra = parsed.positionals[maxPositionals];
    if (extra !== undefined) refuseArguments(script, `Unexpected argument '${extra}'`);
    return parsed;
  } catch (error) {
    // What parseArgs throws is a sentence, sometimes with advice after it that is for longer command lines than these.
    return refuseArguments(script, (error as Error).message.split('. ')[0] ?? '');
  }
}

/** Ends this process with 2 and one sentence about its arguments. `reason` has no full stop. */
export function refuseArguments(script: string, reason: string): never {
  console.error(`${script}: ${reason}; --help says what it takes`);
  process.exit(2);
}

/** Parses the value of an option. Refuses what is not a whole number of at least `min`. */
export function readWholeNumber(script: string, option: string, text: string, min: number): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number) && number >= min) return number;
  return refuseArguments(script, `${option} is a whole number from ${min} on, not '${text}'`);
}

/** Parses the value of an option. Refuses what is not a number above zero. */
export function readPositiveNumber(script: string, option: string, text: string): number {
  const number = Number(text);
  if (Number.isFinite(number) && number > 0) return number;
  return refuseArguments(script, `${option} is a number above zero, not '${text}'`);
}

/** Parses the value of an option, a list with commas. Refuses what has an item that is not a choice. */
export function readChoices<T extends string>(
  script: string,
  option: string,
  text: string,
  choices: readonly T[],
): T[] {
  return text
    .split(',')
    .map(
      (item) =>
        choices.find((choice) => choice === item) ??
        refuseArguments(script, `${option} has no '${item}', only ${choices.join(', ')}`),
    );
}

/** Ends this process with 1 and one sentence unless it runs as root. `because` is what it needs root for. */
export function requireRoot(script: string, because: string): void {
  if (process.getuid?.() === 0) return;
  console.error(`${script}: run it as root: ${because}`);
  process.exit(1);
}
