import { join } from 'node:path';
import { planMemory } from '../../src/runtime/memory/memory-plan.ts';
import { REPOSITORY } from '../chart/render-chart.ts';
import { withGeneratedPart } from './generated-part.ts';

const MIB = 1024 * 1024;
const LIMITS_MIB = [64, 128, 512];

/** The document with the table. */
export const MEMORY_TABLE_FILE = join(REPOSITORY, 'docs/SECURITY.md');

type Part = Exclude<keyof ReturnType<typeof planMemory>, 'limitBytes'>;

const PARTS: Readonly<Record<Part, string>> = {
  runtimeBytes: 'the program itself: heap, compiled code, what of its text is in use',
  bodiesBytes: "bodies under way: chunks of files and of peers, the kernel's buffers on both sides",
  manifestsBytes: 'manifests that are read, fetched, sent or kept',
  clientsBytes: 'requests that are being answered or wait',
  routerConnectionsBytes: "the router's connections and their streams",
  recordsBytes: 'provider records',
  framesBytes: 'messages of the DHT that are read or wait to be sent',
};

/** The text with its table made anew from the constants of the memory plan. Throws if the text has no place for it. */
export function withMemoryTable(text: string): string {
  return withGeneratedPart(text, 'memory', memoryTable());
}

function memoryTable(): string {
  const plans = LIMITS_MIB.map((mib) => planMemory(mib * MIB));
  const row = (name: string, cells: readonly string[]) => `| ${[name, ...cells].join(' | ')} |`;
  const inMib = (bytes: number) => (bytes / MIB).toFixed(1);
  const parts = Object.entries(PARTS).map(([part, name]) =>
    row(
      name,
      plans.map((plan) => inMib(plan[part as Part])),
    ),
  );
  const sums = plans.map((plan) =>
    inMib(Object.keys(PARTS).reduce((sum, part) => sum + plan[part as Part], 0)),
  );
  return `${[
    row(
      'what, in MiB',
      LIMITS_MIB.map((mib) => `limit ${mib}`),
    ),
    row(
      '---',
      plans.map(() => '---'),
    ),
    ...parts,
    row('sum', sums),
  ].join('\n')}\n`;
}
