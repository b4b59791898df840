import { formatTable } from '../../src/terminal/format-table.ts';
import { NO_MIRROR_NAME } from './contender.ts';
import type { MissResult } from './miss.ts';
import { formatSpread, median } from './statistics.ts';
import type { WarmResult } from './warm.ts';

const MIB = 1024 * 1024;
const MB = 1e6;
const ABSENT = '-';

/** The warm scenario as a table; times are medians with their range, ratios are of medians. */
export function formatWarm(results: readonly WarmResult[]): string {
  const ratio = ratioTo(results);
  return formatTable([
    ['WARM', 'PULL s', 'TIME RATIO', 'CPU s/GB', 'IDLE RSS/ANON MiB', 'PEAK RSS/ANON MiB', 'UPSTREAM MB'],
    ...results.map((result) => [
      result.name,
      formatSpread(result.pullMs.map((ms) => ms / 1000)),
      ratio(result),
      result.cpuSecondsPerGb.length === 0 ? ABSENT : formatSpread(result.cpuSecondsPerGb),
      formatMemory(result.idle),
      formatMemory(result.peak),
      (Math.max(...result.upstreamBytes) / MB).toFixed(2),
    ]),
  ]);
}

/** The miss scenario as a table. */
export function formatMiss(results: readonly MissResult[]): string {
  const ratio = ratioTo(results);
  return formatTable([
    ['MISS', 'PULL ms', 'TIME RATIO', 'MISSES', 'MIRROR ms (all requests added up)'],
    ...results.map((result) => [
      result.name,
      formatSpread(result.pullMs, 0),
      ratio(result),
      result.misses.length === 0 ? ABSENT : String(median(result.misses)),
      result.mirrorMs.length === 0 ? ABSENT : formatSpread(result.mirrorMs, 0),
    ]),
  ]);
}

/** Ratio of median times: to no mirror, and to the other binary where there is one. */
function ratioTo(results: readonly { readonly name: string; readonly pullMs: readonly number[] }[]) {
  return ({ name, pullMs }: { readonly name: string; readonly pullMs: readonly number[] }): string =>
    results
      .filter((result) => result.name !== name && (name === 'spegel' || result.name === NO_MIRROR_NAME))
      .map((result) => `${(median(pullMs) / median(result.pullMs)).toFixed(2)} x ${result.name}`)
      .join(', ');
}

function formatMemory(memory: WarmResult['idle']): string {
  if (memory === undefined) return ABSENT;
  return `${(memory.rssBytes / MIB).toFixed(0)}/${(memory.anonymousBytes / MIB).toFixed(0)}`;
}
