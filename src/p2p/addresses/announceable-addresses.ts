import type { NetworkInterfaceInfo } from 'node:os';

import { parseIp } from '../../runtime/ip-address.ts';
import { isUnicastIp } from '../../runtime/ip-scope.ts';

/** What decides which addresses this node announces. */
export interface AnnounceFacts {
  /** The result of os.networkInterfaces(). */
  readonly interfaces: Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;
  /**
   * NODE_IP of the environment. It counts only if it is an address of this machine: a pod with a network of its
   * own is given its host's IP there, where nothing of this pod listens.
   */
  readonly nodeIp?: string | undefined;
  /**
   * The address that the router listens on: no peer reaches it at another. Undefined, unspecified or loopback: says
   * nothing.
   */
  readonly listenHost?: string | undefined;
  /** Interfaces that every node has with the same addresses: bridges of containers and virtual machines. */
  readonly bridges: ReadonlySet<string>;
  /** Interfaces that a default route leaves by. Tried first; the others are used if these have no address. */
  readonly defaultRoutes?: ReadonlySet<string> | undefined;
}

/**
 * The addresses that other nodes reach this node at, without the port, best first. When the router listens on one
 * address of this machine only, it is that address. With the host's network it is NODE_IP, and the addresses of the
 * other IP family that its interface has. Otherwise the addresses of the interfaces with a default route, or of all
 * interfaces that are not bridges. Never loopback, never link-local. Empty if there is none.
 */
export function announceableAddresses(facts: AnnounceFacts): readonly string[] {
  const usable = Object.entries(facts.interfaces).map(([name, addresses = []]) => ({
    name,
    addresses: addresses.filter(({ internal, address }) => !internal && isUnicast(address)),
  }));
  const listenHost = facts.listenHost === undefined ? undefined : canonical(facts.listenHost);
  const listening = usable.flatMap(({ addresses }) =>
    addresses.filter(({ address }) => canonical(address) === listenHost),
  );
  if (listening.length > 0) return unique(listening);
  const nodeIp = facts.nodeIp === undefined ? undefined : canonical(facts.nodeIp);
  for (const { addresses } of usable) {
    const own = addresses.find(({ address }) => canonical(address) === nodeIp);
    if (own === undefined) continue;
    const otherFamily = addresses.find(({ family }) => family !== own.family);
    return unique([own, ...(otherFamily === undefined ? [] : [otherFamily])]);
  }
  const routed = usable.filter(({ name }) => facts.defaultRoutes?.has(name) === true);
  const viaDefaultRoute = unique(routed.flatMap(({ addresses }) => addresses));
  if (viaDefaultRoute.length > 0) return viaDefaultRoute;
  return unique(usable.flatMap(({ name, addresses }) => (facts.bridges.has(name) ? [] : addresses)));
}

function unique(addresses: readonly NetworkInterfaceInfo[]): readonly string[] {
  return [...new Set(addresses.map(({ address }) => canonical(address)))];
}

/** True for an address that other nodes accept from this node. */
function isUnicast(address: string): boolean {
  const bytes = parseIp(canonical(address));
  return bytes !== undefined && isUnicastIp(bytes);
}

/** One spelling per address: lower case, no zone, no brackets. */
function canonical(address: string): string {
  const bare =
    address
      .trim()
      .replace(/^\[|\]$/g, '')
      .split('%')[0] ?? '';
  // The URL parser shortens IPv6 as RFC 5952 says.
  if (!bare.includes(':')) return bare;
  return URL.canParse(`http://[${bare}]`) ? new URL(`http://[${bare}]`).hostname.slice(1, -1) : bare;
}
