import type { Logger } from '../../observe/log.ts';
import type { Clock } from '../../runtime/clock.ts';
import { canonicalIp } from '../../runtime/ip-address.ts';
import type { AnnounceFacts } from './announceable-addresses.ts';
import { readNetworkFacts } from './network-facts.ts';

/** Bun lists a new interface up to 2 s after it was set up, and a network may be set up while this program starts. */
const GRACE_MS = 5000;
const PAUSE_MS = 1000;

/** What checkNodeIp needs. */
export interface CheckNodeIpDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default: asks the kernel. */
  readonly readFacts?: (nodeIp: string | undefined) => Promise<Pick<AnnounceFacts, 'interfaces'>>;
}

/**
 * Warns once when no interface of this machine has had the address for 5 s. The address is then not announced, see
 * announceableAddresses. Not to be asked in a pod of Kubernetes: with a network of its own it is given its host's address.
 * Never rejects.
 */
export async function checkNodeIp(
  { clock, logger, readFacts = readNetworkFacts }: CheckNodeIpDeps,
  { nodeIp, signal }: { readonly nodeIp: string; readonly signal: AbortSignal },
): Promise<void> {
  const wanted = canonicalIp(nodeIp);
  const startMs = clock.nowMs();
  try {
    for (;;) {
      const { interfaces } = await readFacts(nodeIp);
      const found = Object.values(interfaces).flatMap((addresses) => addresses ?? []);
      if (found.some(({ address }) => canonicalIp(address) === wanted)) return;
      if (clock.nowMs() - startMs >= GRACE_MS) {
        const others = found.filter(({ internal }) => !internal).map(({ address }) => address);
        logger.warn(
          'No interface of this machine has the address in NODE_IP, so another one is announced: correct it, or leave it out',
          { nodeIp, addresses: others },
        );
        return;
      }
      await clock.sleep(PAUSE_MS, signal);
    }
  } catch (error) {
    if (!signal.aborted) logger.warn('Cannot look for the address in NODE_IP', { nodeIp, error });
  }
}
