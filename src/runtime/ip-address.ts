import { lruSet } from './lru-set.ts';

/** Four numbers without leading zeros, which some read as octal. */
const IPV4 = /^(?:0|[1-9]\d{0,2})(?:\.(?:0|[1-9]\d{0,2})){3}$/;
/** What an IPv6 address is made of; a zone (`%eth0`) is no part of it. */
const IPV6_CHARACTERS = /^[0-9a-f:.]+$/i;
const IPV4_BYTES = 4;
const IPV6_BYTES = 16;
/** What is in front of an IPv4 address in IPv6's notation (RFC 4291, 2.5.5.2). */
const MAPPED_IPV4 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff] as const;
/** The same as text, as a socket of both families shows it. */
const MAPPED_PREFIX = '::ffff:';

/** The bytes of an IP address in network order: 4 for IPv4, 16 for IPv6 (without brackets or zone). undefined if the text is none. */
export function parseIp(text: string): Uint8Array | undefined {
  if (IPV4.test(text)) {
    const bytes = text.split('.').map(Number);
    return bytes.every((byte) => byte <= 0xff) ? Uint8Array.from(bytes) : undefined;
  }
  const isV6 = text.includes(':') && IPV6_CHARACTERS.test(text) && URL.canParse(`http://[${text}]`);
  if (!isV6) return undefined;
  // The URL parser leaves groups of hex digits and at most one "::" (RFC 5952).
  const [head = '', tail = ''] = new URL(`http://[${text}]`).hostname.slice(1, -1).split('::');
  const [left, right] = [groupsOf(head), groupsOf(tail)];
  const bytes = new Uint8Array(IPV6_BYTES);
  bytes.set(left);
  bytes.set(right, IPV6_BYTES - right.length);
  return bytes;
}

/** The text of an address of 4 or 16 bytes, IPv6 in the spelling of RFC 5952. */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === IPV4_BYTES) return bytes.join('.');
  const groups = Array.from({ length: IPV6_BYTES / 2 }, (_, index) =>
    (((bytes[2 * index] ?? 0) << 8) | (bytes[2 * index + 1] ?? 0)).toString(16),
  );
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

/**
 * One spelling per address: IPv6 as RFC 5952 says, and IPv4 in IPv6's notation (`::ffff:10.0.0.1`, as a socket of both
 * families shows it) as IPv4. undefined if the text is none.
 */
export function canonicalIp(text: string): string | undefined {
  // It is asked several times for each request.
  const known = spellings.get(text);
  if (known !== undefined) return known;
  const spelling = spell(text);
  if (spelling !== undefined) lruSet(spellings, text, spelling, MAX_SPELLINGS);
  return spelling;
}

/** Spellings that are kept: of the nodes of a cluster, and some clients. */
const MAX_SPELLINGS = 1024;
const spellings = new Map<string, string>();

function spell(text: string): string | undefined {
  const mapped = text.startsWith(MAPPED_PREFIX) ? text.slice(MAPPED_PREFIX.length) : text;
  if (IPV4.test(mapped)) return parseIp(mapped) === undefined ? undefined : mapped;
  const bytes = parseIp(text);
  if (bytes === undefined || bytes.length === IPV4_BYTES) return bytes === undefined ? undefined : text;
  const isMapped = MAPPED_IPV4.every((byte, index) => bytes[index] === byte);
  if (isMapped) return bytes.subarray(MAPPED_IPV4.length).join('.');
  return formatIp(bytes);
}

/** Orders addresses as numbers, IPv4 before IPv6: the order by which all nodes of a cluster choose the same ones. */
export function compareIps(a: Uint8Array, b: Uint8Array): number {
  return a.length - b.length || Buffer.compare(a, b);
}

/** True for an IPv4 address. */
export function isIpv4(text: string): boolean {
  return parseIp(text)?.length === IPV4_BYTES;
}

/** True for an IPv6 address, without brackets. */
export function isIpv6(text: string): boolean {
  return parseIp(text)?.length === IPV6_BYTES;
}

function groupsOf(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}
