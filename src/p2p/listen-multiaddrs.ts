import { multiaddr } from '@multiformats/multiaddr';

/** `:5001`, `1.2.3.4:5001`, `[::1]:5001`. */
const ADDRESS = /^(?:\[(?<ip6>[0-9a-fA-F:.]+)\]|(?<ip4>\d+\.\d+\.\d+\.\d+))?:(?<port>\d{1,5})$/;
const MAX_PORT = 65_535;

/** A listen address, parsed. */
export interface ListenAddress {
  /** What libp2p listens on: one multiaddr, or one per IP family. */
  readonly multiaddrs: readonly string[];
  /** 0 lets the system choose. */
  readonly port: number;
}

/** Parses --router-addr; `:port` listens on IPv4 and IPv6. Throws RangeError that quotes the value. */
export function parseListenAddress(address: string): ListenAddress {
  const groups = ADDRESS.exec(address)?.groups;
  const port = Number(groups?.['port'] ?? Number.NaN);
  if (groups === undefined || port > MAX_PORT) throw invalid(address);
  const { ip4, ip6 } = groups;
  if (ip4 === undefined && ip6 === undefined) {
    return { multiaddrs: [`/ip4/0.0.0.0/tcp/${port}`, `/ip6/::/tcp/${port}`], port };
  }
  const text = ip4 === undefined ? `/ip6/${ip6}/tcp/${port}` : `/ip4/${ip4}/tcp/${port}`;
  try {
    return { multiaddrs: [multiaddr(text).toString()], port };
  } catch (cause) {
    throw invalid(address, cause);
  }
}

/** The multiaddr of a TCP port at an IP address. Throws RangeError that quotes an address which is none. */
export function tcpMultiaddr(ip: string, port: number): string {
  try {
    return multiaddr(`/${ip.includes(':') ? 'ip6' : 'ip4'}/${ip}/tcp/${port}`).toString();
  } catch (cause) {
    throw new RangeError(`Cannot announce ${JSON.stringify(ip)}: it is not an IP address`, { cause });
  }
}

function invalid(address: string, cause?: unknown): RangeError {
  return new RangeError(
    `Cannot listen on ${JSON.stringify(address)}: use :5001, 1.2.3.4:5001 or [::1]:5001`,
    { cause },
  );
}
