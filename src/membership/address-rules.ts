import { canonicalIp, parseIp } from '../runtime/ip-address.ts';
import { type IpNetwork, parseIpNetwork } from '../runtime/ip-network.ts';

/** What addresses of the cluster have to be, whoever names them. */
export interface AddressRulesOptions {
  /** --allowed-networks; empty: all. */
  readonly networks?: readonly IpNetwork[];
  /** Takes loopback for an address like others: for several nodes on one machine, in tests. Default false. */
  readonly allowLoopback?: boolean;
}

/** One spelling of the address (see canonicalIp), or undefined if it is none that a node of the cluster can have. */
export type AddressRules = (ip: string) => string | undefined;

const LOOPBACK = ['127.0.0.0/8', '::1'].map(parseIpNetwork);
/**
 * Nobody else can be reached there: unspecified, loopback, link-local, multicast, broadcast (RFC 6890), IPv4 in
 * the notations of IPv6 (RFC 4291), and the prefix of NAT64, which leads to any IPv4 address (RFC 6052).
 */
const UNREACHABLE = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/4',
  '255.0.0.0/8',
  '::/96',
  '::ffff:0:0/96',
  '64:ff9b::/96',
  'fe80::/10',
  'ff00::/8',
].map(parseIpNetwork);

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
    const isIn = (list: readonly IpNetwork[]) => list.some((network) => network.contains(bytes));
    if (isIn(UNREACHABLE) && !(allowLoopback && isIn(LOOPBACK))) return undefined;
    return networks.length === 0 || isIn(networks) ? text : undefined;
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
