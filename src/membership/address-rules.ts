import { canonicalIp, parseIp } from '../runtime/ip-address.ts';
import type { IpNetwork } from '../runtime/ip-network.ts';
import { isLoopbackIp, isUnicastIp } from '../runtime/ip-scope.ts';

/** What addresses of the cluster have to be, whatever source names them. */
export interface AddressRulesOptions {
  /** --allowed-networks; empty: all. */
  readonly networks?: readonly IpNetwork[];
  /** Takes loopback for an address like others: for several nodes on one machine, in tests. Default false. */
  readonly allowLoopback?: boolean;
}

/** One spelling of the address (see canonicalIp), or undefined if a node of the cluster cannot have it. */
export type AddressRules = (ip: string) => string | undefined;

/** Answers that are kept: the same few thousand addresses are asked about all the time. */
const MAX_KEPT = 8192;

/** Makes the rules. */
export function createAddressRules({
  networks = [],
  allowLoopback = false,
}: AddressRulesOptions = {}): AddressRules {
  const kept = new Map<string, string | undefined>();
  const judge: AddressRules = (ip) => {
    const text = canonicalIp(ip);
    const bytes = text === undefined ? undefined : parseIp(text);
    if (bytes === undefined) return undefined;
    if (!isUnicastIp(bytes) && !(allowLoopback && isLoopbackIp(bytes))) return undefined;
    const isAllowed = networks.length === 0 || networks.some((network) => network.contains(bytes));
    return isAllowed ? text : undefined;
  };
  return (ip) => {
    const known = kept.get(ip);
    if (known !== undefined || kept.has(ip)) return known;
    if (kept.size >= MAX_KEPT) kept.clear();
    const text = judge(ip);
    kept.set(ip, text);
    return text;
  };
}
