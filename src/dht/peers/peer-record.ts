import type { PeerState } from './peer-states.ts';

/** All that is known of a peer, except what the table of peers and the connections need for themselves. */
export interface PeerRecord {
  /** Its ID in hex: how peers are named within this room. */
  readonly name: string;
  /** Its ID: the multihash of its public key. */
  readonly id: Uint8Array;
  /** True while it speaks the protocol on a connection. */
  readonly isPresent: boolean;
  readonly state: PeerState;
  /** When it got into its state. */
  readonly sinceMs: number;
  /** When something last happened to the peer, or when it last said something of itself. */
  readonly heardMs: number;
  /** The addresses that it gives of itself, multiaddrs in binary; undefined: none, or not kept. */
  readonly claimed: readonly Uint8Array[] | undefined;
  /** What it can do, as it said on the connection that it has. */
  readonly capabilities: PeerCapabilities;
  /** Where it is, as it said itself, see isLabelValue(); undefined: it has not. Kept when its connection ends. */
  readonly zone: string | undefined;
  /** What its node is called, as it said itself, see isNodeName(); undefined: it has not. Kept when its connection ends. */
  readonly nodeName: string | undefined;
  /** When something was last asked on its connection, or sent, by either end. */
  readonly usedMs: number;
  /** When one of the two ends last said that it needs the room of the connection; -Infinity: never. */
  readonly partedMs: number;
  /** When it said that it leaves; -Infinity if it has not, or was there since. */
  readonly leftMs: number;
}

/** What a peer says that it can do. */
export interface PeerCapabilities {
  /** It understands notices. */
  readonly notices: boolean;
  /** It takes part in flights. */
  readonly flights: boolean;
}

/** What a peer that connects tells. */
export interface PeerFacts {
  /** Multiaddrs in binary. */
  readonly addresses: readonly Uint8Array[];
  readonly capabilities: Partial<PeerCapabilities>;
}

/** What a peer that says nothing can do. */
export const NO_CAPABILITIES: PeerCapabilities = { notices: false, flights: false };
