import { lruSet } from '../../runtime/lru-set.ts';
import { createTokenBucket, type TokenBucket } from '../../runtime/token-bucket.ts';

/** What one address may have. IPv6: a network of 64 bits. */
export interface AddressLimits {
  /** Connections, including connections in their handshake. */
  readonly connections: number;
  /** The same where the address is not of a member. */
  readonly pendingConnections: number;
  /** Handshakes at a time, including handshakes that wait for their turn. */
  readonly handshakes: number;
  /** Handshakes at once after a while without any. */
  readonly burst: number;
  /** Handshakes per second in the long run. */
  readonly perSecond: number;
}

/** Addresses whose last handshakes are remembered. */
const MAX_ADDRESSES = 4096;

/** What an address has at this moment. */
export interface DoorAddress {
  connections: number;
  handshakes: number;
  /** Handshakes that it may begin. */
  readonly rate: TokenBucket;
  /** When its last handshake began. */
  begunMs: number;
}

/** Returns what finds an address by what all connections of it have in common. */
export function createDoorAddresses(
  limits: Pick<AddressLimits, 'burst' | 'perSecond'>,
  nowMs: () => number,
): (origin: string) => DoorAddress {
  /** The address that a connection came from last comes last. */
  const addresses = new Map<string, DoorAddress>();
  return (origin) => {
    const address = addresses.get(origin) ?? {
      connections: 0,
      handshakes: 0,
      rate: createTokenBucket(nowMs, limits),
      begunMs: -Infinity,
    };
    // An address that has a connection is held by it, and comes back when another connection comes from there.
    lruSet(addresses, origin, address, MAX_ADDRESSES);
    return address;
  };
}
