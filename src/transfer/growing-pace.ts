import type { Clock } from '../runtime/clock.ts';
import { FLIGHT_DRIP_BYTES, FLIGHT_DRIP_MS, FLOOR_CHECK_MS } from './budgets.ts';
import type { BodyPace } from './throughput-floor.ts';

/** What one request gets from nodes that download the blob themselves, over all their bodies and the time between. */
export interface GrowingPace {
  /** Starts to judge one more body. Its node is slow when the request gets next to nothing. */
  watch(): BodyPace;
  /** True when the request got next to nothing, in however many bodies. */
  readonly isDripping: boolean;
}

/**
 * What grows may be as slow as upstream is. But a node that is alive gives 1 MiB at a time, or is found to stand still.
 * What comes by the byte comes from a broken link, or from a node that lies.
 */
export function createGrowingPace(clock: Pick<Clock, 'nowMs'>): GrowingPace {
  let waitedMs = 0;
  let movedBytes = 0;
  let mark = { waitedMs, movedBytes };
  let endedMs: number | undefined;
  const add = (ms: number, bytes: number) => {
    waitedMs += ms;
    movedBytes += bytes;
    if (movedBytes - mark.movedBytes >= FLIGHT_DRIP_BYTES) mark = { waitedMs, movedBytes };
  };
  const isDripping = () => waitedMs - mark.waitedMs > FLIGHT_DRIP_MS;

  return {
    get isDripping() {
      return isDripping();
    },
    watch() {
      if (endedMs !== undefined) add(clock.nowMs() - endedMs, 0);
      endedMs = undefined;
      let seen = { waitedMs: 0, movedBytes: 0 };
      let judgedMs = clock.nowMs();
      return {
        everyMs: FLOOR_CHECK_MS,
        judge(progress) {
          add(progress.waitedMs - seen.waitedMs, progress.movedBytes - seen.movedBytes);
          seen = progress;
          judgedMs = clock.nowMs();
          if (!isDripping()) return undefined;
          // Another node has its own time.
          mark = { waitedMs, movedBytes };
          return 'slow';
        },
        ended(bytes) {
          endedMs = clock.nowMs();
          add(Math.min(endedMs - judgedMs, FLOOR_CHECK_MS), bytes - seen.movedBytes);
        },
      };
    },
  };
}
