import type { Connection, IdentifyResult, Libp2p, PeerId } from '@libp2p/interface';
import { CODE_P2P, multiaddr } from '@multiformats/multiaddr';

import type { Membership } from '../../membership/membership.ts';
import { ipOf } from '../addresses/peer-addresses.ts';
import { DIAL_TIMEOUT_MS } from '../limits.ts';

/** Addresses of one peer: two interfaces with both families. */
const MAX_CLAIMED_ADDRESSES = 4;
/** Addresses of one pending peer that are dialled while it is connected: it may name ever new addresses. */
const MAX_CLAIMS_DIALLED = 8;

/** Where a pending peer says that it is. */
interface Claim {
  readonly connection: Connection;
  /** Each as text, without its ID. */
  readonly addresses: readonly { readonly ip: string; readonly text: string }[];
  /** Addresses that were dialled already. */
  readonly dialled: Set<string>;
}

/** What pending peers that are connected say of themselves. */
export interface AddressClaims {
  /** The peer says where it is. A pending peer that has connected by itself is dialled there, at members' addresses. */
  claimed(identified: Pick<IdentifyResult, 'connection' | 'listenAddrs'>): void;
  /** The connection has ended. */
  closed(connection: Connection): void;
  /** The membership has changed: addresses that are a member's by now are dialled. */
  reconsider(): void;
}

/** What createAddressClaims needs. */
export interface AddressClaimsDeps {
  readonly host: Pick<Libp2p, 'dial'>;
  readonly membership: Pick<Membership, 'admits'>;
  readonly isMember: (peer: PeerId) => boolean;
}

/**
 * A node with several addresses may connect from an address that is not named: it is dialled where it says that it is.
 */
export function createAddressClaims({ host, membership, isMember }: AddressClaimsDeps): AddressClaims {
  const claims = new Map<Connection, Claim>();
  const dial = ({ connection: { remotePeer }, addresses, dialled }: Claim) => {
    if (isMember(remotePeer)) return;
    const news = addresses.filter(({ ip, text }) => membership.admits(ip) && !dialled.has(text));
    if (news.length === 0 || dialled.size >= MAX_CLAIMS_DIALLED) return;
    for (const { text } of news) dialled.add(text);
    const signal = AbortSignal.timeout(DIAL_TIMEOUT_MS);
    const targets = news.map(({ text }) => multiaddr(`${text}/p2p/${remotePeer.toString()}`));
    // When another peer is there, or none, this peer stays pending.
    host.dial(targets, { force: true, signal }).catch(() => {});
  };
  return {
    claimed({ connection, listenAddrs }) {
      if (connection.direction !== 'inbound' || isMember(connection.remotePeer)) return;
      const addresses = listenAddrs.flatMap((address) => {
        const ip = ipOf(address);
        return ip === undefined ? [] : { ip, text: address.decapsulateCode(CODE_P2P).toString() };
      });
      const dialled = claims.get(connection)?.dialled ?? new Set<string>();
      const claim = { connection, addresses: addresses.slice(0, MAX_CLAIMED_ADDRESSES), dialled };
      claims.set(connection, claim);
      dial(claim);
    },
    closed: (connection) => void claims.delete(connection),
    reconsider() {
      for (const claim of claims.values()) dial(claim);
    },
  };
}
