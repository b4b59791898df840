import { multiaddr } from '@multiformats/multiaddr';
import type { ListenAddress } from '../runtime/listen-address.ts';

/** What libp2p listens on for --router-addr: one multiaddr, or without a host one per IP family. */
export function listenMultiaddrs({ host, port }: ListenAddress): readonly string[] {
  return host === undefined
    ? [tcpMultiaddr('0.0.0.0', port), tcpMultiaddr('::', port)]
    : [tcpMultiaddr(host, port)];
}

/** The multiaddr of a TCP port at an IP address. Throws RangeError that quotes what is not an IP address. */
export function tcpMultiaddr(ip: string, port: number): string {
  try {
    return multiaddr(`/${ip.includes(':') ? 'ip6' : 'ip4'}/${ip}/tcp/${port}`).toString();
  } catch (cause) {
    throw new RangeError(`Cannot make a multiaddr of ${JSON.stringify(ip)}: it is not an IP address`, {
      cause,
    });
  }
}
