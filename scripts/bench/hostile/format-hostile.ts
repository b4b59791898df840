import { formatTable } from '../../../src/terminal/format-table.ts';
import type { Summary } from '../statistics.ts';
import type { HttpFigures } from './player-commands.ts';
import type { HostileResult, ProbeSummary } from './run-hostile.ts';

const MIB = 1024 * 1024;
const ABSENT = '-';

/** The results as a table of one load per row, and what was missed below it. */
export function formatHostile(results: readonly HostileResult[]): string {
  const table = formatTable([
    [
      'LOAD',
      'KILLED',
      'PEAK/TCP MiB',
      'BY QUARTER MiB',
      'RSS/ANON BEFORE',
      'AFTER',
      'FAIR ANSWERS',
      'HOSTILE ANSWERS',
      'PEERS',
      'LOOKUP p50/p99 ms',
      'PULL ms',
    ],
    ...results.map((result) => [
      result.load,
      formatKill(result),
      `${mib(result.memory.peakBytes)}/${mib(result.memory.peakTcpBytes)}`,
      result.memory.quarterBytes.map(mib).join(' '),
      formatUsage(result.before),
      formatUsage(result.after),
      formatHttp(result.figures.fair),
      formatHttp(result.figures.hostile),
      formatPeers(result),
      formatLookups(result),
      formatPulls(result),
    ]),
  ]);
  const notes = results.flatMap(({ load, figures }) =>
    Object.entries(figures.notes ?? {}).map(([name, value]) => `${load}: ${name} ${value}`),
  );
  const missed = results.flatMap(({ load, missed }) =>
    missed.map((sentence) => `MISSED ${load}: ${sentence}`),
  );
  return [table, ...notes, ...missed].join('\n');
}

function formatKill({ memory, lastedMs }: HostileResult): string {
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
  if (memory.endedAfterMs === undefined) return `no, ${seconds(lastedMs)}`;
  return `${memory.oomKills > 0 ? 'OOM' : 'ended'} ${seconds(memory.endedAfterMs)}`;
}

function formatUsage(usage: HostileResult['after']): string {
  return usage === undefined ? ABSENT : `${mib(usage.rssBytes)}/${mib(usage.anonymousBytes)}`;
}

function formatHttp(figures: HttpFigures | undefined): string {
  if (figures === undefined) return ABSENT;
  const { statuses, wrong, short, reset } = figures;
  const counts = { ...statuses, wrong, short, reset };
  const parts = Object.entries(counts).filter(([, count]) => count > 0);
  return parts.length === 0 ? 'none' : parts.map(([name, count]) => `${name}:${count}`).join(' ');
}

function formatPeers({ figures: { peers } }: HostileResult): string {
  if (peers === undefined) return ABSENT;
  const { connected, joined, refused, ended, recordsSent, questionsSent, answers } = peers;
  const counts = { connected, joined, refused, ended, records: recordsSent, asked: questionsSent, answers };
  return Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${name}:${count}`)
    .join(' ');
}

function formatLookups({ calm, loaded }: HostileResult): string {
  const { lookupMs } = loaded;
  const failures = Object.entries(loaded.lookupFailures).map(([name, count]) => `${name}:${count}`);
  if (lookupMs === undefined) return ['none', ...failures].join(' ');
  const ratio = (name: 'p50' | 'p99') => times(lookupMs[name], calm?.lookupMs?.[name]);
  return [
    `${lookupMs.p50.toFixed(1)}/${lookupMs.p99.toFixed(0)} (${ratio('p50')}, ${ratio('p99')})`,
    ...failures,
  ].join(' ');
}

function formatPulls({ calm, loaded }: HostileResult): string {
  const { pullMs, pullFailures } = loaded;
  const failed = pullFailures.length === 0 ? [] : [`${pullFailures.length} FAILED`];
  return [formatPull(pullMs, calm), ...failed, upstreamOf(loaded)].filter((text) => text !== '').join(' ');
}

function formatPull(pullMs: Summary | undefined, calm: ProbeSummary | undefined): string {
  return pullMs === undefined
    ? 'none'
    : `${pullMs.count} of ${pullMs.p50.toFixed(0)} (${times(pullMs.p50, calm?.pullMs?.p50)})`;
}

function upstreamOf({ upstreamRequests }: ProbeSummary): string {
  return upstreamRequests === 0 ? '' : `upstream:${upstreamRequests}`;
}

function times(value: number, calm: number | undefined): string {
  return calm === undefined ? ABSENT : `x${(value / calm).toFixed(1)}`;
}

function mib(bytes: number): string {
  return (bytes / MIB).toFixed(0);
}
