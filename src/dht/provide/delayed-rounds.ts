import type { Clock } from '../../runtime/clock.ts';

/** Something has come that a round is for: starts rounds unless they are under way. */
export type StartRounds = () => void;

/** Work that is done for all that has come within a while together. */
export interface Round {
  /** From the first that has come until the work begins. */
  readonly delayMs: number;
  /** True while there is something to do: then another round follows. */
  readonly hasWork: () => boolean;
  readonly work: () => Promise<void>;
}

/** What createDelayedRounds needs. */
export interface DelayedRoundsDeps {
  readonly clock: Clock;
  /** Follows work that goes on by itself. */
  readonly inBackground: (work: Promise<void>) => void;
  /** Ends the rounds. */
  readonly signal: AbortSignal;
}

/** Runs the work after the delay, again as long as there is any, one round at a time. */
export function createDelayedRounds(
  { clock, inBackground, signal }: DelayedRoundsDeps,
  { delayMs, hasWork, work }: Round,
): StartRounds {
  let isRunning = false;
  const run = async () => {
    try {
      while (hasWork()) {
        await clock.sleep(delayMs, signal);
        await work();
      }
    } finally {
      isRunning = false;
    }
  };
  return () => {
    if (isRunning) return;
    isRunning = true;
    inBackground(run());
  };
}
