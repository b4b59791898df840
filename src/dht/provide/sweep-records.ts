import type { Logger } from '../../observe/log.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { ProviderRecords } from './provider-records.ts';

/** How often records that have faded are removed; they are not given out in the meantime. */
const SWEEP_RECORDS_INTERVAL_MS = 2 * 60 * 1000;

/** What sweepRecords needs. */
export interface SweepRecordsDeps {
  readonly records: Pick<ProviderRecords, 'sweep' | 'refusedCount' | 'recordCount'>;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** Removes records that have faded, and says when there was no room for some. Resolves when the signal aborts. */
export async function sweepRecords(
  { records, logger, clock }: SweepRecordsDeps,
  signal: AbortSignal,
): Promise<void> {
  let refusedBefore = 0;
  while (!signal.aborted) {
    await clock.sleep(SWEEP_RECORDS_INTERVAL_MS, signal).catch(() => {});
    records.sweep();
    if (records.refusedCount === refusedBefore) continue;
    logger.warn('No room for more provider records', {
      records: records.recordCount,
      refused: records.refusedCount - refusedBefore,
    });
    refusedBefore = records.refusedCount;
  }
}
