import { canonicalIp, parseIp } from './ip-address.ts';

const IPV4_BYTES = 4;
/** A host gets a /64 of IPv6 and may use every address of it (RFC 4291, 2.5.4), in bytes. */
const IPV6_HOST_BYTES = 8;

/**
 * What is counted as a single client where no client may take everything: an IPv4 address, also in IPv6's notation, or
 * the /64 of an IPv6 address. Text that is not an address is a client of its own.
 */
export function addressShare(address: string): string {
  // The usual case first: it is asked for each connection.
  if (address.startsWith('::ffff:') && address.includes('.')) return address.slice('::ffff:'.length);
  if (!address.includes(':')) return address;
  const bytes = parseIp(canonicalIp(address) ?? address);
  if (bytes === undefined) return address;
  if (bytes.length === IPV4_BYTES) return bytes.join('.');
  return `${Buffer.from(bytes.subarray(0, IPV6_HOST_BYTES)).toString('hex')}::/64`;
}
