import type { Logger } from '../observe/log.ts';
import { createDnsMembership } from '../membership/dns-membership.ts';
import { createDomainAddresses, type DomainAddresses } from '../bootstrap/domain-addresses.ts';
import type { Membership } from '../membership/membership.ts';
import { createNetworkMembership } from '../membership/network-membership.ts';
import type { Clock } from '../runtime/clock.ts';
import { parseIpNetwork } from '../runtime/ip-network.ts';
import type { RegistryOptions } from './registry-options.ts';

/** The addresses that the flags name for bootstrapping and membership; undefined unless the kind is dns. */
export function bootstrapDomain(
  options: Pick<RegistryOptions, 'bootstrapKind' | 'dnsBootstrapDomain'>,
): DomainAddresses | undefined {
  const { bootstrapKind, dnsBootstrapDomain: domain } = options;
  return bootstrapKind === 'dns' && domain !== undefined ? createDomainAddresses({ domain }) : undefined;
}

/** What createMembership needs. */
export interface CreateMembershipDeps {
  readonly logger: Logger;
  readonly clock: Clock;
  /** See bootstrapDomain. */
  readonly addresses: DomainAddresses | undefined;
  /** This node's own addresses at this moment. */
  readonly own: () => readonly string[];
}

/** Makes the membership that the flags ask for: by DNS with a domain and the check on, else by networks. */
export function createMembership(
  { addresses, own, ...deps }: CreateMembershipDeps,
  { allowedNetworks, membershipCheck }: Pick<RegistryOptions, 'allowedNetworks' | 'membershipCheck'>,
): Membership {
  const networks = allowedNetworks.map(parseIpNetwork);
  return addresses !== undefined && membershipCheck
    ? createDnsMembership({ ...deps, addresses }, { networks, own })
    : createNetworkMembership(deps, { networks });
}
