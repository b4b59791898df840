import type { Clock } from '../runtime/clock.ts';
import type { WakeUp } from '../runtime/wake-up.ts';
import type { Canary } from './canary.ts';
import { NO_REGISTRY } from './canary-name.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
/** For what starts together with this process, or with containerd. */
const FIRST_MS = 5 * SECOND_MS;
/** How long containerd is waited for before a run that then says that it is away. */
const CONTAINERD_MS = MINUTE_MS;
/** Between two runs. */
export const CANARY_INTERVAL_MS = 60 * MINUTE_MS;
/** The same after a run in which nothing was pulled, because there was nothing to tell that to. */
const UNKNOWN_INTERVAL_MS = 10 * MINUTE_MS;

/** What runCanaries needs. */
export interface RunCanariesDeps {
  readonly canary: Pick<Canary, 'run' | 'last' | 'isHeard' | 'restMs'>;
  /** How often containerd has begun to answer. */
  readonly starts: () => number;
  /** Woken when that has become more. */
  readonly started: Pick<WakeUp, 'sleep'>;
  readonly clock: Clock;
}

/**
 * Runs the canary after the start, then each hour and whenever containerd was restarted, because it may then have read another
 * configuration, until the signal aborts. A registry gets few pulls of it: after a run in which containerd did not ask the mirror,
 * and may have asked a registry, there is none before the mirror is asked for something of that registry, a run that is asked for
 * has found the mirror in use, or containerd is restarted; restMs() bounds these. Never rejects but with the signal's reason.
 */
export async function runCanaries(
  { canary, starts, started, clock }: RunCanariesDeps,
  { registry }: { readonly registry: string },
  signal: AbortSignal,
): Promise<void> {
  if (starts() === 0) await started.sleep(clock, CONTAINERD_MS, signal);
  let seen = starts();
  let isRestarted = false;
  await clock.sleep(FIRST_MS, signal);
  for (;;) {
    const isInDoubt = canary.last()?.outcome === 'not-used' && !canary.isHeard;
    const mayAskRegistry = isInDoubt && registry !== NO_REGISTRY;
    if (isRestarted || !mayAskRegistry) await canary.run(signal);
    const isUnknown = canary.last()?.outcome === 'unknown';
    if (starts() === seen) {
      await started.sleep(clock, isUnknown ? UNKNOWN_INTERVAL_MS : CANARY_INTERVAL_MS, signal);
    }
    signal.throwIfAborted();
    isRestarted = starts() !== seen;
    if (!isRestarted) continue;
    seen = starts();
    await clock.sleep(Math.max(FIRST_MS, canary.restMs()), signal);
  }
}
