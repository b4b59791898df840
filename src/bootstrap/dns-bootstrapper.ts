import { compareIps, parseIp } from '../runtime/ip-address.ts';
import { BootstrapError, type Bootstrapper, type BootstrapPeer, NoNodeNamedError } from './bootstrapper.ts';
import type { DomainAddresses } from './domain-addresses.ts';
import { tcpMultiaddr } from './listen-multiaddrs.ts';

/** Addresses of each IP family that bootstrapping by DNS dials first (the contract with Spegel). */
const DNS_PEERS_PER_FAMILY = 3;
/** How often it goes on to the next addresses: nodes that are down for long stay in DNS, perhaps as the lowest. */
const MAX_DNS_RANKS = 10;

/**
 * Bootstraps from the addresses of a domain: the 3 lowest of each IP family (rank 0), and, for when none of these
 * answers, three by three the next addresses. The port is that of every node's router, also this node's; throws
 * BootstrapError for a port that makes no sense.
 */
export function createDnsBootstrapper(
  addresses: Pick<DomainAddresses, 'domain' | 'resolve'>,
  port: number,
): Bootstrapper {
  if (port < 1) throw new BootstrapError('Bootstrapping by DNS needs a fixed port, the same on every node');
  return {
    kind: 'dns',
    async peers(signal) {
      const { ip4 = [], ip6 = [] } = await addresses.resolve(signal);
      if (ip4.length + ip6.length === 0) throw new NoNodeNamedError(addresses.domain);
      return [...toPeers(ip4, port), ...toPeers(ip6, port)];
    },
  };
}

function toPeers(ips: readonly string[], port: number): readonly BootstrapPeer[] {
  const parsed = [...new Set(ips)].flatMap((text) => {
    const bytes = parseIp(text);
    return bytes === undefined ? [] : [{ text, bytes }];
  });
  const lowest = parsed.sort((a, b) => compareIps(a.bytes, b.bytes));
  return lowest.slice(0, MAX_DNS_RANKS * DNS_PEERS_PER_FAMILY).map(({ text }, index) => ({
    multiaddrs: [tcpMultiaddr(text, port)],
    rank: Math.floor(index / DNS_PEERS_PER_FAMILY),
  }));
}
