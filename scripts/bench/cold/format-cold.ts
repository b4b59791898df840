import { formatTable } from '../../../src/commands/format-table.ts';
import { formatSpread, median } from '../statistics.ts';
import type { ColdResult } from './run-cold.ts';

const MIB = 1024 * 1024;

/** The cold scenario as a table; figures are medians with their range. */
export function formatCold(results: readonly ColdResult[]): string {
  return formatTable([
    ['COLD', 'MAKESPAN s', 'OF IDEAL', 'COPIES', 'MIRRORS CPU s', 'BUSY', 'PEAK RSS MiB', 'FAILED'],
    ...results.map(({ name, idealMs, rounds, peakRssBytes }) => [
      name,
      formatSpread(rounds.map(({ makespanMs }) => makespanMs / 1000)),
      (median(rounds.map(({ makespanMs }) => makespanMs)) / idealMs).toFixed(2),
      formatSpread(rounds.map(({ copies }) => copies)),
      formatSpread(rounds.map(({ mirrorSeconds }) => mirrorSeconds)),
      `${Math.round(100 * median(rounds.map(({ busyShare }) => busyShare)))} %`,
      (peakRssBytes / MIB).toFixed(0),
      String(rounds.reduce((sum, { failures }) => sum + failures.length, 0)),
    ]),
  ]);
}
