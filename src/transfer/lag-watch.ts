import { LAG_CHECK_MS } from './budgets.ts';
import type { BodyPace } from './throughput-floor.ts';

/**
 * Judges a body of a flight by how far other nodes are, too. Its node may be slow because upstream is: then all are. But
 * behind a slow link in the middle of a chain everything is slow. `lags` is asked now and then whether others are far ahead.
 */
export function watchLag(
  pace: BodyPace,
  { fromByte, lags }: { readonly fromByte: number; readonly lags: (atByte: number) => Promise<boolean> },
): BodyPace {
  let askedAtMs = 0;
  let isAsking = false;
  let isBehind = false;
  return {
    everyMs: pace.everyMs,
    judge(progress) {
      const reason = pace.judge(progress);
      if (reason !== undefined || isBehind) return reason ?? 'slow';
      const { waitedMs, movedBytes } = progress;
      if (isAsking || waitedMs - askedAtMs < LAG_CHECK_MS) return undefined;
      askedAtMs = waitedMs;
      isAsking = true;
      void lags(fromByte + movedBytes).then((answer) => {
        isBehind = answer;
        isAsking = false;
      });
      return undefined;
    },
    ended: (movedBytes) => pace.ended(movedBytes),
  };
}
