import type { Logger } from '../../observe/log.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type AnnounceFacts, announceableAddresses } from './announceable-addresses.ts';
import { readNetworkFacts } from './network-facts.ts';

/** The kernel counts a new interface as running, and Bun lists it, up to 2 s after it was set up. */
const PATIENCE_MS = 10_000;
const PAUSE_MS = 100;
/** Most networks are there by then; a longer wait is logged with what it is for. */
const SILENCE_MS = 1000;

/** What findAnnounceAddresses needs. */
export interface FindAnnounceAddressesDeps {
  readonly clock: Clock;
  /** Told once when there is no address yet; undefined: no log. */
  readonly logger?: Logger;
  /** Default: asks the kernel. */
  readonly readFacts?: (nodeIp: string | undefined) => Promise<AnnounceFacts>;
}

/**
 * The addresses to announce, see announceableAddresses; waits up to 10 s for a network that is being set up.
 * Rejects with an Error that says what to do when there is none then.
 */
export async function findAnnounceAddresses(
  { clock, logger, readFacts = readNetworkFacts }: FindAnnounceAddressesDeps,
  options: {
    readonly nodeIp?: string | undefined;
    readonly listenHost?: string | undefined;
    readonly signal?: AbortSignal;
  },
): Promise<readonly string[]> {
  const startMs = clock.nowMs();
  let hasSaid = false;
  for (;;) {
    const addresses = announceableAddresses({
      ...(await readFacts(options.nodeIp)),
      listenHost: options.listenHost,
    });
    if (addresses.length > 0) return addresses;
    const waitedMs = clock.nowMs() - startMs;
    if (waitedMs >= PATIENCE_MS) {
      throw new Error(
        'This node has no address that others can reach: it needs one that is not loopback on a network interface that is no bridge, or NODE_IP set to one that any of its interfaces has',
      );
    }
    if (waitedMs >= SILENCE_MS && !hasSaid) {
      hasSaid = true;
      logger?.warn('No address that others can reach yet, waiting for one', { upToMs: PATIENCE_MS });
    }
    await clock.sleep(PAUSE_MS, options.signal);
  }
}
