import type { Logger } from '../observe/log.ts';
import type { Clock } from '../runtime/clock.ts';
import type { IpNetwork } from '../runtime/ip-network.ts';
import { createAddressRules } from './address-rules.ts';
import type { Membership } from './membership.ts';
import { createDeniedLog } from './denied-log.ts';

/** What createNetworkMembership needs. */
export interface NetworkMembershipDeps {
  readonly logger: Logger;
  readonly clock: Clock;
}

/** Settings of createNetworkMembership. */
export interface NetworkMembershipOptions {
  /** --allowed-networks; empty: every address that can be reached is a member's. */
  readonly networks: readonly IpNetwork[];
  /** For several nodes on one machine, in tests. Default false. */
  readonly allowLoopback?: boolean | undefined;
}

/** Membership by networks, which do not change: it has neither pending peers nor news. */
export function createNetworkMembership(
  deps: NetworkMembershipDeps,
  { networks, allowLoopback = false }: NetworkMembershipOptions,
): Membership {
  const rules = createAddressRules({ networks, allowLoopback });
  const denied = createDeniedLog(
    deps,
    networks.length === 0
      ? 'Refused a peer: no other node can be at its address'
      : 'Refused a peer: if it is a node, add its network to --allowed-networks',
  );
  const admits = (ip: string) => rules(ip) !== undefined;
  return {
    admits,
    knock: async (ip) => admits(ip),
    standing: (ip) => (admits(ip) ? 'member' : 'denied'),
    arrive(ip) {
      if (admits(ip)) return 'member';
      denied.refused(ip);
      return 'denied';
    },
    opened: () => () => {},
    onChange: () => () => {},
    stats: () => ({ members: undefined, pending: 0, refused: denied.count }),
    async [Symbol.asyncDispose]() {},
  };
}
