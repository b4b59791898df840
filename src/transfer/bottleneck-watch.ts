import type { PaceJudge } from '../http/transport.ts';
import type { Clock } from '../runtime/clock.ts';

/** How often a body is looked at, in ms: what a holder of 200 Mbit/s gives in that time is an eighth of the least that is got in pieces. */
const LOOK_MS = 50;
/** How long it is looked at before it is judged, in ms. */
const WINDOW_MS = 100;
/** Windows in a row: one alone may be the start of a connection. */
const WINDOWS = 2;
/** The source is the bottleneck if its client waits for it for so much of the time. */
const WAITED_PART = 0.5;
const SECOND_MS = 1000;

/** What watchForBottleneck needs. */
export interface BottleneckWatchDeps {
  readonly clock: Clock;
  /** Judges the body's pace, too, as often as it wants to. */
  readonly judge: PaceJudge | undefined;
  /** Told, as long as it is so, that the client waits for its source most of the time, and what that gives. Must not throw. */
  readonly onBottleneck: (bytesPerSecond: number, movedBytes: number) => void;
}

/** Watches a body for a source that gives less than its client would take. */
export function watchForBottleneck({ clock, judge, onBottleneck }: BottleneckWatchDeps): PaceJudge {
  let judgedMs = clock.nowMs();
  let window = { startedMs: judgedMs, movedBytes: 0, waitedMs: 0 };
  let first = window;
  let windows = 0;
  return {
    everyMs: Math.min(LOOK_MS, judge?.everyMs ?? LOOK_MS),
    judge(progress) {
      const nowMs = clock.nowMs();
      const { movedBytes, waitedMs } = progress;
      const passedMs = nowMs - window.startedMs;
      if (passedMs >= WINDOW_MS) {
        const isWaiting = waitedMs - window.waitedMs >= WAITED_PART * passedMs;
        if (windows === 0) first = window;
        windows = isWaiting && movedBytes > window.movedBytes ? windows + 1 : 0;
        window = { startedMs: nowMs, movedBytes, waitedMs };
        if (windows >= WINDOWS) {
          const bytes = movedBytes - first.movedBytes;
          onBottleneck((bytes / (nowMs - first.startedMs)) * SECOND_MS, movedBytes);
        }
      }
      if (judge === undefined || nowMs - judgedMs < judge.everyMs) return undefined;
      judgedMs = nowMs;
      return judge.judge(progress);
    },
  };
}
