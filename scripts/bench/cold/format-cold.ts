import { formatTable } from '../../../src/terminal/format-table.ts';
import { formatSpread, median } from '../statistics.ts';
import type { ColdResult } from './run-cold.ts';

const MIB = 1024 * 1024;

/** The cold scenario as a table; figures are medians with their range. Columns that no row has a figure for are left out. */
export function formatCold(results: readonly ColdResult[]): string {
  const all = results.flatMap(({ rounds }) => rounds);
  const isAlone = all.some(({ aloneMs }) => aloneMs !== undefined);
  const isRetried = all.some(({ retried }) => retried > 0);
  return formatTable([
    [
      'COLD',
      'MAKESPAN s',
      'OF IDEAL',
      ...(isAlone ? ['OF ALONE'] : []),
      'COPIES',
      'HELD s',
      'MIRRORS CPU s',
      'BUSY',
      'PEAK RSS MiB',
      ...(isRetried ? ['RETRIED'] : []),
      'FAILED',
    ],
    ...results.map(({ name, idealMs, rounds, peakRssBytes }) => [
      name,
      formatSpread(rounds.map(({ makespanMs }) => makespanMs / 1000)),
      (median(rounds.map(({ makespanMs }) => makespanMs)) / idealMs).toFixed(2),
      ...(isAlone
        ? [median(rounds.map(({ makespanMs, aloneMs = NaN }) => makespanMs / aloneMs)).toFixed(2)]
        : []),
      formatSpread(rounds.map(({ copies }) => copies)),
      formatSpread(
        rounds.map(({ longestHoldMs }) => longestHoldMs / 1000),
        1,
      ),
      formatSpread(rounds.map(({ mirrorSeconds }) => mirrorSeconds)),
      `${Math.round(100 * median(rounds.map(({ busyShare }) => busyShare)))} %`,
      (peakRssBytes / MIB).toFixed(0),
      ...(isRetried ? [String(rounds.reduce((sum, { retried }) => sum + retried, 0))] : []),
      String(rounds.reduce((sum, { failures }) => sum + failures.length, 0)),
    ]),
  ]);
}
