import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { COMMANDS, globalFlags } from '../../src/cli/command-table.ts';
import { environmentName, type Flag, type FlagTable, flagName } from '../../src/cli/flag.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import { REPOSITORY } from '../chart/render-chart.ts';
import { readChartValues } from './chart-values.ts';
import { LISTENERS } from './endpoints.ts';

/** The document that renderReference makes. */
export const REFERENCE_FILE = join(REPOSITORY, 'docs/REFERENCE.md');

const HEADER = `<!-- Made by \`bun run reference\` from the flags, the metrics and values.yaml. Edit those. -->
# Reference

Every command and flag, every endpoint, every metric, every value of the chart. What they are for and when to change them
is told in [INSTALL.md](INSTALL.md), [CONFIGURE.md](CONFIGURE.md) and [TROUBLESHOOTING.md](TROUBLESHOOTING.md).
`;

const COMMANDS_TEXT = `## Commands

A flag is given as \`--flag value\` or \`--flag=value\`, or by its environment variable; the command line wins. An empty value
is the same as none. Lists: \`--flag a b c\`, the flag repeated, or with commas in the environment. Durations as in Go:
\`20ms\`, \`2s\`, \`1m30s\`. Listen addresses: \`:5000\` (both IP families), \`1.2.3.4:5000\`, \`[::1]:5000\`.

Exit codes: 0; 1 for an error, which is the last log line (\`peers\`, \`why\`: a plain line); 2 for a wrong command line; \`peers find\`, \`peers flights\`, \`why\` and \`doctor\` have more.
Logs are JSON lines on stderr.

What people read begins with the verdict. Its tables fit the terminal, and 80 columns in a pipe or a file: long names are shortened in the
middle, digests to twelve digits, and what is longer still goes on in the next line. \`--wide\` writes all of each name, in lines as long
as that needs; \`--json\` is for programs. Colours are on terminals only, and never with \`NO_COLOR\`. Ages are in their largest unit (\`12s\`,
\`3m\`, \`2h\`), bytes in powers of 1000. \`--watch\` asks again after an interval of at least 200 ms: on a terminal the answer is drawn in the
place of the answer before it. Elsewhere it stands below that with its time, and with \`--json\` each answer is a line. A daemon that does
not answer any more is told of and asked again; Ctrl-C ends it with exit code 0.
`;

const METRICS_TEXT = `## Metrics

At \`/metrics\` of \`--metrics-addr\`. A histogram \`x\` is exposed as \`x_bucket\`, \`x_sum\` and \`x_count\`. \`registry\` has at most
100 values, the rest is \`other\`; it is empty for content that no image names.
`;

const VALUES_TEXT = `## Chart values

Of [the chart](../deploy/charts/spegel), with their defaults. (+): only this chart has it; all others have the name and the
meaning that they have in the chart of Spegel (Go), v0.7.4 or its successor.
`;

/** The text of docs/REFERENCE.md, from the tables that the program and the chart are made of. */
export async function renderReference(): Promise<string> {
  const values = readChartValues(
    await readFile(join(REPOSITORY, 'deploy/charts/spegel/values.yaml'), 'utf8'),
  );
  const parts = [
    HEADER,
    COMMANDS_TEXT,
    '### Every command\n',
    flagsTable(globalFlags),
    ...Object.values(COMMANDS).map(commandSection),
    '## Endpoints\n',
    ...LISTENERS.map(
      ({ flag, what, endpoints }) =>
        `### ${flag}\n\n${what}\n\n${table(
          ['path', 'answer'],
          endpoints.map(({ path, what }) => [code(path), what]),
        )}`,
    ),
    METRICS_TEXT,
    table(
      ['metric', 'type', 'labels', 'what'],
      createMetrics({ version: '', commit: '' }).definitions.map(({ name, type, labels, help }) => [
        code(name),
        type,
        labels.map(code).join(', '),
        help,
      ]),
    ),
    VALUES_TEXT,
    table(
      ['value', 'default', 'what'],
      values.map(({ path, defaultValue, comment }) => [code(path), code(defaultValue), comment]),
    ),
  ];
  return parts.join('\n');
}

function commandSection({
  usage,
  description,
  flags,
  examples,
  ...rest
}: (typeof COMMANDS)[keyof typeof COMMANDS]) {
  const name = 'parent' in rest ? `${rest.parent} ${usage}` : usage;
  const heading = `### \`spegel ${name}\`\n`;
  const alias = 'alias' in rest ? [`\nAlso as \`spegel ${rest.alias}\`.`] : [];
  const own =
    'parent' in rest ? `\nThe flags are those of \`spegel ${rest.parent}\`.\n` : `\n${flagsTable(flags)}`;
  return [heading, description, ...alias, own, `\`\`\`\n${examples}\n\`\`\`\n`].join('\n');
}

function flagsTable(flags: FlagTable): string {
  return table(
    ['flag', 'environment', 'default', 'what'],
    Object.entries(flags).map(([key, flag]) => [
      `${code(`--${flagName(key)}`)} ${code(flag.argument)}${flag.kind === 'list' ? ' …' : ''}`,
      code(environmentName(key)),
      defaultOf(flag),
      flag.help,
    ]),
  );
}

function defaultOf({ required, defaultText }: Flag<unknown>): string {
  if (required) return 'required';
  return defaultText === undefined ? '' : code(defaultText);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cellText(cell)).join(' | ')} |\n`;
  return `${line(head)}${line(head.map(() => '---'))}${rows.map(line).join('')}`;
}

/** A pipe ends a cell, and `<` outside of code begins a tag. */
function cellText(text: string): string {
  const parts = text.split(/(`[^`]*`)/);
  return parts
    .map((part) => (part.startsWith('`') ? part : part.replaceAll('<', '&lt;')))
    .join('')
    .replaceAll('|', String.raw`\|`);
}

function code(text: string): string {
  return text === '' ? '' : `\`${text}\``;
}
