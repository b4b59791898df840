import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';

import { canonicalIp, parseIp } from '../../runtime/ip-address.ts';
import { isLoopbackIp, isUnicastIp } from '../../runtime/ip-scope.ts';

/** Multiaddr protocol codes (multicodec table). */
const IP4 = 4;
const IP6 = 41;
const TCP = 6;
const P2P = 421;

/** A node has an address or two of each family. Each further claim would cost other nodes a dial. */
const MAX_IPS_PER_PEER = 4;

/**
 * The IPs at which a peer can be asked over HTTP, in the order in which it announced them, each once.
 * What a peer announces is its own claim: addresses that would lead back to this machine are left out
 * unless allowLoopback is set (several nodes on one machine, in tests).
 */
export function peerIps(multiaddrs: readonly Multiaddr[], allowLoopback = false): readonly string[] {
  const ips = new Set<string>();
  for (const address of multiaddrs) {
    const [ip, transport] = address.getComponents();
    if (ip?.value === undefined || transport?.code !== TCP) continue;
    if (ip.code !== IP4 && ip.code !== IP6) continue;
    const bytes = parseIp(ip.value);
    if (bytes === undefined) continue;
    if (!isUnicastIp(bytes) && !(allowLoopback && isLoopbackIp(bytes))) continue;
    ips.add(ip.value);
  }
  return [...ips].slice(0, MAX_IPS_PER_PEER);
}

/**
 * The IP of `/ip4/…/tcp/…` or `/ip6/…/tcp/…`, with or without a peer ID behind it; undefined for every other multiaddr.
 */
export function ipOf(address: Multiaddr): string | undefined {
  const [ip, transport, peer, ...rest] = address.getComponents();
  if (ip === undefined || (ip.code !== IP4 && ip.code !== IP6) || transport?.code !== TCP) return undefined;
  return (peer === undefined || peer.code === P2P) && rest.length === 0 ? ip.value : undefined;
}

/** Bytes of an IPv6 address that a network or a machine gets; it chooses the other half as it likes. */
const IP6_NETWORK_BYTES = 8;

/**
 * What all connections from one machine have in common, however many addresses it takes: its IPv4 address, or the first
 * half of its IPv6 address. Text, one spelling of each; the whole multiaddr of what is not an IP.
 */
export function originOf(address: Multiaddr): string {
  const ip = canonicalIp(ipOf(address) ?? '');
  const bytes = ip === undefined ? undefined : parseIp(ip);
  if (ip === undefined || bytes === undefined) return address.toString();
  return bytes.length > IP6_NETWORK_BYTES ? `${bytes.subarray(0, IP6_NETWORK_BYTES).toHex()}/64` : ip;
}

/** Parses a multiaddr in binary; undefined if it is not a multiaddr. */
export function parseAddress(bytes: Uint8Array): Multiaddr | undefined {
  try {
    return multiaddr(bytes);
  } catch {
    return undefined;
  }
}
