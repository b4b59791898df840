import { formatTable } from '../../../src/terminal/format-table.ts';
import { formatSpread, quantile } from '../statistics.ts';
import type { PullBenchResult } from './run-pull.ts';

const MIB = 1024 * 1024;

/** The pull scenario as a table: medians with their range, a row for each program. */
export function formatPull(results: readonly PullBenchResult[]): string {
  const byName = Map.groupBy(results, ({ name }) => name);
  return formatTable([
    [
      'PULL',
      'PULL s',
      'CPU s',
      'UNTIL ITS END',
      'OTHERS CPU s',
      'PEAK ANONYMOUS MiB',
      'AFTER MiB',
      'FOUND p50 ms',
      'p99 ms',
      'BUSY',
    ],
    ...Array.from(byName, ([name, rounds]) => {
      const of = (figure: (round: PullBenchResult) => number, digits: number) =>
        formatSpread(rounds.map(figure), digits);
      const found = (share: number) => (round: PullBenchResult) =>
        round.foundAfterMs.length === 0 ? NaN : quantile(round.foundAfterMs, share);
      return [
        name,
        of(({ pullMs }) => pullMs / 1000, 1),
        of(({ pullCpuSeconds, restCpuSeconds }) => pullCpuSeconds + restCpuSeconds, 2),
        of(({ pullCpuSeconds }) => pullCpuSeconds, 2),
        of(({ otherCpuSeconds }) => otherCpuSeconds, 2),
        of(({ peakAnonymousBytes }) => peakAnonymousBytes / MIB, 0),
        of(({ anonymousBytes }) => anonymousBytes / MIB, 0),
        of(found(0.5), 0),
        of(found(0.99), 0),
        of(({ busyShare }) => busyShare * 100, 0),
      ];
    }),
  ]);
}
