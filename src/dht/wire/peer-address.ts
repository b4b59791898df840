/** Codes of multiaddr components (multicodec table), as varints. */
const IP4 = 0x04;
const IP6 = 0x29;
const TCP = 0x06;
const IP4_BYTES = 4;
const IP6_BYTES = 16;
const PORT_BYTES = 2;
/** /p2p, code 421 as a varint. */
const P2P = [0xa5, 0x03] as const;

/** An IP and a TCP port. */
export interface PeerAddress {
  /** Network order, 4 or 16 bytes; a view into what was parsed. */
  readonly ip: Uint8Array;
  readonly port: number;
}

/**
 * Parses a multiaddr in binary of the form /ip4/…/tcp/… or /ip6/…/tcp/…, with or without a /p2p/… behind it. Undefined
 * for everything else (names, relays, other transports): no peer of this cluster can be reached there.
 */
export function parsePeerAddress(bytes: Uint8Array): PeerAddress | undefined {
  const ipBytes = bytes[0] === IP4 ? IP4_BYTES : bytes[0] === IP6 ? IP6_BYTES : undefined;
  if (ipBytes === undefined) return undefined;
  const portAt = 1 + ipBytes + 1;
  const end = portAt + PORT_BYTES;
  if (bytes.length < end || bytes[portAt - 1] !== TCP) return undefined;
  if (bytes.length > end && (bytes[end] !== P2P[0] || bytes[end + 1] !== P2P[1])) return undefined;
  const port = ((bytes[portAt] ?? 0) << 8) | (bytes[portAt + 1] ?? 0);
  return port === 0 ? undefined : { ip: bytes.subarray(1, portAt - 1), port };
}

/** The multiaddr of an IP and a port in binary, without a peer ID. */
export function formatPeerAddress({ ip, port }: PeerAddress): Uint8Array {
  return Uint8Array.from([ip.length === IP4_BYTES ? IP4 : IP6, ...ip, TCP, port >> 8, port & 0xff]);
}
