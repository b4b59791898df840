import { formatTable } from '../../../src/terminal/format-table.ts';
import { formatSpread, median } from '../statistics.ts';
import type { TriedPull } from './pull-until-done.ts';
import type { FaultResult } from './run-faults.ts';

const MB = 1e6;
const ABSENT = '-';

/** The faults scenario as a table; figures are medians with their range. */
export function formatFaults(results: readonly FaultResult[]): string {
  return formatTable([
    [
      'FAULT',
      'NO MIRROR s',
      'NO MIRROR, FAULT s (TRIES)',
      'HEALTHY s',
      'FAULT s',
      'COST s',
      'TRIES',
      'UPSTREAM MB',
      'WRONG BLOBS',
      'BUSY',
    ],
    ...results.map(({ name, rounds }) => {
      const bareFaulty = rounds.flatMap(({ bareFaulty }) => bareFaulty ?? []);
      return [
        name,
        formatSeconds(rounds.map(({ bareMs }) => bareMs)),
        bareFaulty.length === 0
          ? ABSENT
          : `${formatSeconds(bareFaulty.map(({ ms }) => ms))} (${formatTries(bareFaulty)})`,
        formatSeconds(rounds.map(({ healthyMs }) => healthyMs)),
        formatSeconds(rounds.map(({ faulty }) => faulty.ms)),
        formatSeconds(rounds.map(({ faulty, healthyMs }) => faulty.ms - healthyMs)),
        formatTries(rounds.map(({ faulty }) => faulty)),
        formatSpread(
          rounds.map(({ upstreamBytes }) => upstreamBytes / MB),
          1,
        ),
        formatRange(rounds.map(({ wrongBlobs }) => wrongBlobs)),
        `${Math.round(100 * median(rounds.map(({ busyShare }) => busyShare)))} %`,
      ];
    }),
  ]);
}

const formatSeconds = (ms: readonly number[]) => formatSpread(ms.map((each) => each / 1000));
const formatTries = (pulls: readonly TriedPull[]) =>
  formatRange(pulls.map(({ failures }) => failures.length + 1));

/** Whole numbers: `1`, or `1-3` where they differ. */
function formatRange(values: readonly number[]): string {
  const [min, max] = [Math.min(...values), Math.max(...values)];
  return min === max ? String(min) : `${min}-${max}`;
}
