const IP4_BYTES = 4;
const IP6_BYTES = 16;

/** True for loopback, of either family (RFC 1122, 3.2.1.3; RFC 4291, 2.5.3). Addresses are in bytes, as parseIp gives them. */
export function isLoopbackIp(ip: Uint8Array): boolean {
  if (ip.length === IP4_BYTES) return ip[0] === 127;
  return ip.length === IP6_BYTES && ip.every((byte, index) => byte === (index === IP6_BYTES - 1 ? 1 : 0));
}

/**
 * True for what can be the address of another machine, whoever names it. Never unspecified, loopback, link-local (where
 * cloud metadata lives), multicast or broadcast (RFC 6890). Of IPv6 never 0000::/8 either: there are the addresses that
 * stand for an IPv4 address (RFC 4291, 2.5.5; NAT64, RFC 6052), and none of a machine.
 */
export function isUnicastIp(ip: Uint8Array): boolean {
  const [a = 0, b = 0] = ip;
  if (ip.length === IP4_BYTES) {
    const isMulticast = (a & 0xf0) === 0xe0;
    const isLinkLocal = a === 169 && b === 254;
    return a !== 0 && a !== 127 && a !== 255 && !isMulticast && !isLinkLocal;
  }
  const isLinkLocal = a === 0xfe && (b & 0xc0) === 0x80;
  return ip.length === IP6_BYTES && a !== 0 && a !== 0xff && !isLinkLocal;
}
