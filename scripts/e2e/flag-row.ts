import { expect } from 'bun:test';
import { BINARY } from '../lab/binary.ts';
import { runCommand } from '../lab/run-command.ts';

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

/** Checks that a table has a row for every flag that the help of a command shows, with its variable, and no others. */
export async function expectRowPerFlag(command: readonly string[], tested: readonly string[]): Promise<void> {
  const help = (await runCommand([BINARY, ...command, '--help'])).replaceAll(/\s+/g, ' ');
  const flags = Array.from(help.matchAll(/ --([a-z-]+) [<[](?:.(?! --))*?env: ([A-Z_ ]+)\)/g), (match) => {
    const [, flag = '', variable = ''] = match;
    return { flag, variable: variable.replaceAll(' ', '') };
  });
  expect(flags.map(({ flag }) => flag).sort()).toEqual([...tested, 'log-level'].sort());
  for (const { flag, variable } of flags) expect(variable).toBe(variableOf(flag));
}
