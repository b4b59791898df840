import type { Clock } from '../runtime/clock.ts';
import type { Canary } from './canary.ts';
import { NO_REGISTRY } from './canary-name.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
/** For what starts together with this process. */
const FIRST_MS = 5 * SECOND_MS;
/** How long containerd is waited for before a run that then says that it is away. */
const CONTAINERD_MS = MINUTE_MS;
/** Between two runs. */
export const CANARY_INTERVAL_MS = 60 * MINUTE_MS;
/** The same after a run in which nothing was pulled, because there was nothing to tell that to. */
const UNKNOWN_INTERVAL_MS = 10 * MINUTE_MS;

/** What runCanaries needs. */
export interface RunCanariesDeps {
  readonly canary: Pick<Canary, 'run' | 'last' | 'isHeard'>;
  /** Resolves when containerd answers for the first time. */
  readonly containerdUp: Promise<void>;
  readonly clock: Clock;
}

/**
 * Runs the canary after the start, and then each hour, until the signal aborts. A registry gets at most one pull of it: after
 * a run in which containerd did not ask the mirror, and may have asked a registry, there is none before the mirror is asked for
 * something of that registry, or a run that is asked for has found the mirror in use. Never rejects but with the signal's reason.
 */
export async function runCanaries(
  { canary, containerdUp, clock }: RunCanariesDeps,
  { registry }: { readonly registry: string },
  signal: AbortSignal,
): Promise<void> {
  await Promise.race([containerdUp, clock.sleep(CONTAINERD_MS, signal)]);
  await clock.sleep(FIRST_MS, signal);
  for (;;) {
    const isInDoubt = canary.last()?.outcome === 'not-used' && !canary.isHeard;
    const mayAskRegistry = isInDoubt && registry !== NO_REGISTRY;
    if (!mayAskRegistry) await canary.run(signal);
    await clock.sleep(
      canary.last()?.outcome === 'unknown' ? UNKNOWN_INTERVAL_MS : CANARY_INTERVAL_MS,
      signal,
    );
  }
}
