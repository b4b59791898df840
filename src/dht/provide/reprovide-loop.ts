import type { Logger } from '../../observe/log.ts';
import type { Clock } from '../../runtime/clock.ts';
import { MAX_SWEEP_PARTS, type ProvidedKeys } from './provided-keys.ts';
import type { ReproviderObserver } from './reprovider-contract.ts';

/** What runReprovideLoop needs. */
export interface ReprovideLoopDeps {
  readonly keys: Pick<ProvidedKeys, 'earliestDueMs' | 'takeDue'>;
  /** Sends the records of the keys that are due to the peers that are closest to them. */
  readonly provideAgain: (due: readonly string[]) => Promise<void>;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly observer: ReproviderObserver | undefined;
}

/** Settings of runReprovideLoop. */
export interface ReprovideLoopOptions {
  readonly intervalMs: number;
  /** When in the time between two looks this node looks, from 0 up to 1: another share on each node. */
  readonly startShare: number;
}

/** Provides the keys again when they are due, some at a time, until the signal aborts; then rejects with its reason. */
export async function runReprovideLoop(
  { keys, provideAgain, logger, clock, observer }: ReprovideLoopDeps,
  { intervalMs, startShare }: ReprovideLoopOptions,
  signal: AbortSignal,
): Promise<void> {
  const lookMs = intervalMs / MAX_SWEEP_PARTS;
  let sweep = { startMs: clock.nowMs(), keys: 0, busyMs: 0, lagMs: 0 };
  // Nodes that started together must not all do this at the same time.
  await clock.sleep(startShare * lookMs, signal);
  for (;;) {
    const nowMs = clock.nowMs();
    if (nowMs - sweep.startMs >= intervalMs) {
      const { startMs: _, ...done } = sweep;
      observer?.sweepEnded(done);
      logger.debug('Provided again', done);
      sweep = { startMs: nowMs, keys: 0, busyMs: 0, lagMs: 0 };
    }
    const earliestMs = keys.earliestDueMs();
    if (earliestMs < nowMs + lookMs) {
      const due = keys.takeDue();
      await provideAgain(due);
      sweep.keys += due.length;
      sweep.busyMs += clock.nowMs() - nowMs;
      sweep.lagMs = Math.max(sweep.lagMs, nowMs - earliestMs);
    }
    await clock.sleep(lookMs, signal);
  }
}
