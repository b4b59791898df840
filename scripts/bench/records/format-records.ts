import { formatTable } from '../../../src/terminal/format-table.ts';
import type { QueryFigures, RecordsResult } from './run-records.ts';

const MIB = 1024 * 1024;

/** The results as a table of one store and size per row. */
export function formatRecords(results: readonly RecordsResult[]): string {
  return formatTable([
    [
      'RECORDS',
      'STORE',
      'ADDED/s',
      'KEPT STREAM',
      'NEW STREAMS',
      'RSS/ANON MiB',
      'BYTES/RECORD',
      'LOAD BEFORE',
    ],
    ...results.map((result) => [
      String(result.records),
      result.store,
      result.addedPerSecond.toFixed(0),
      formatQueries(result.keptStream),
      formatQueries(result.newStreams),
      `${(result.rssBytes / MIB).toFixed(0)}/${(result.anonymousBytes / MIB).toFixed(0)}`,
      result.bytesPerRecord.toFixed(0),
      result.loadBefore.toFixed(1),
    ]),
  ]);
}

function formatQueries({ tookMs, perSecond, cpuMsPerQuery, wrong }: QueryFigures): string {
  const times = tookMs === undefined ? '-' : `p50 ${tookMs.p50.toFixed(2)} p99 ${tookMs.p99.toFixed(2)} ms`;
  const errors = wrong === 0 ? '' : `, ${wrong} WRONG`;
  return `${perSecond.toFixed(0)}/s, ${times}, ${cpuMsPerQuery.toFixed(2)} CPU ms${errors}`;
}
