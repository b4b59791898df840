import type { Logger } from '../../observe/log.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type AnnounceFacts, announceableAddresses } from './announceable-addresses.ts';
import { readNetworkFacts } from './network-facts.ts';

/**
 * How often to look. What is seen twice in a row counts: an interface that is set up anew has no address for a moment.
 */
const LOOK_INTERVAL_MS = 30 * 1000;

/** What followAnnounceAddresses needs. */
export interface FollowAnnounceAddressesDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default: asks the kernel. */
  readonly readFacts?: (nodeIp: string | undefined) => Promise<AnnounceFacts>;
}

/** Settings of followAnnounceAddresses. */
export interface FollowAnnounceAddressesOptions {
  readonly nodeIp: string | undefined;
  readonly listenHost?: string | undefined;
  /** What findAnnounceAddresses found. */
  readonly first: readonly string[];
  readonly onChange: (addresses: readonly string[]) => void;
  readonly signal: AbortSignal;
}

/**
 * Tells when the addresses to announce (see announceableAddresses) have changed, until the signal aborts; never
 * rejects. A node that has no address for a while keeps the addresses that it had.
 */
export async function followAnnounceAddresses(
  { clock, logger, readFacts = readNetworkFacts }: FollowAnnounceAddressesDeps,
  { nodeIp, listenHost, first, onChange, signal }: FollowAnnounceAddressesOptions,
): Promise<void> {
  let current = first;
  let seen: readonly string[] = [];
  for (;;) {
    try {
      await clock.sleep(LOOK_INTERVAL_MS, signal);
      const before = seen;
      seen = announceableAddresses({ ...(await readFacts(nodeIp)), listenHost });
      if (signal.aborted) return;
      if (seen.length === 0 || isSame(seen, current) || !isSame(seen, before)) continue;
      current = seen;
      onChange(seen);
    } catch (error) {
      if (signal.aborted) return;
      logger.warn('Cannot look at the addresses of this node', { error });
    }
  }
}

/** The order in which the kernel lists them says nothing new. */
function isSame(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && new Set(left).isSubsetOf(new Set(right));
}
