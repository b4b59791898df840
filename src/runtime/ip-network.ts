import { parseIp } from './ip-address.ts';

/** Addresses that have their first bits in common, as CIDR writes them (RFC 4632, RFC 4291). */
export interface IpNetwork {
  /** True for an address of this network and family, in bytes as parseIp gives them. */
  contains(address: Uint8Array): boolean;
}

const BITS_PER_BYTE = 8;

/** Parses `10.0.0.0/8`, `fd00::/64` or one address. Throws TypeError that quotes what is none. */
export function parseIpNetwork(text: string): IpNetwork {
  const [address = '', length, ...rest] = text.split('/');
  const base = parseIp(address);
  const bits = (base?.length ?? 0) * BITS_PER_BYTE;
  const prefix = length === undefined ? bits : Number(length);
  const isLength = length === undefined || /^(?:0|[1-9]\d{0,2})$/.test(length);
  if (base === undefined || !isLength || prefix > bits || rest.length > 0) {
    throw new TypeError(`${JSON.stringify(text)} is no network such as 10.0.0.0/8 or fd00::/64`);
  }
  return {
    contains: (other) =>
      other.length === base.length &&
      base.every((byte, index) => {
        // Bits of this byte that count: all, some, or none.
        const counted = Math.min(BITS_PER_BYTE, Math.max(0, prefix - index * BITS_PER_BYTE));
        return (byte ^ (other[index] ?? 0)) >> (BITS_PER_BYTE - counted) === 0;
      }),
  };
}
