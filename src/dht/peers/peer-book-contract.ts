import type { NamedPeer } from '../wire/dht-message.ts';
import type { PeerFacts, PeerRecord } from './peer-record.ts';
import type { PeerEffect, PeerEvent, PeerLife } from './peer-states.ts';

/** Which peers may take part in the DHT. */
export interface PeerGate {
  /** True if the peer, which is connected, belongs to the cluster. */
  isMember(id: Uint8Array): boolean;
  /** True if a connected peer that is not a member yet may leave records: they count when it is a member. */
  mayRecord(id: Uint8Array): boolean;
  /**
   * What the peer has in common with all other peers of its address, in any spelling; undefined if it is not connected.
   * Peers of one origin share what an address may have here.
   */
  originOf?(id: Uint8Array): string | undefined;
  /** True if others may be sent to the address (4 or 16 bytes). */
  isUsable(ip: Uint8Array): boolean;
}

/** A peer that others can be told of. */
export interface DescribedPeer extends NamedPeer {
  /** The peer as it stands in every message. */
  readonly encoded: Uint8Array;
}

/** How a member came. */
export interface Arrival {
  /** It was in the table before. */
  readonly wasListed: boolean;
  /** It has parted a moment ago: it has not been started anew. */
  readonly hasJustParted: boolean;
}

/**
 * Told of what becomes of peers, after the book and the table have it. No listener sees what another listener does, so
 * that their order does not matter.
 */
export type PeerListener = {
  /** See PeerEffect. */
  readonly [Effect in PeerEffect]?: (peer: PeerRecord) => void;
} & {
  /** A member is connected, also when it comes back. */
  readonly joined?: (peer: PeerRecord, arrival: Arrival) => void;
  /** Another peer named it, and it is in the table now. */
  readonly named?: (peer: PeerRecord) => void;
  /** Another peer named it, at these addresses, while it counts as dead: it may have come back. */
  readonly resurfaced?: (peer: NamedPeer) => void;
  /** One of the two ends has said that it needs the room of the connection. */
  readonly parting?: (peer: PeerRecord) => void;
  /** The last connection to the peer has ended, for whatever reason. */
  readonly closed?: (peer: PeerRecord) => void;
};

/** What is known of peers, in one record each, and which peers are in the table. */
export interface PeerBook {
  /** Calls the listener from now on. */
  subscribe(listener: PeerListener): void;
  get(name: string): PeerRecord | undefined;
  /** A peer that speaks the protocol is connected, and says this of itself; also when it says so anew. */
  connected(id: Uint8Array, facts: PeerFacts): void;
  /** The last connection to the peer has ended. */
  disconnected(id: Uint8Array): void;
  /** Something else has happened to the peer. */
  happened(
    event: Exclude<PeerEvent, 'connected' | 'disconnected' | 'parted'>,
    peer: { readonly id: Uint8Array; readonly name: string },
  ): void;
  /** One end of the peer's connection has said that it needs the room. */
  parting(id: Uint8Array): void;
  /** The peer says that it is in the zone. */
  placed(id: Uint8Array, zone: string): void;
  /** The peer says what its node is called. */
  called(id: Uint8Array, nodeName: string): void;
  /** Something is asked, or sent, on the peer's connection. */
  used(name: string): void;
  /**
   * Another peer says that this peer is there: it is in the table until that turns out to be wrong. False when it is
   * known, counts as dead, or has no address that a member can have.
   */
  named(peer: NamedPeer): boolean;
  /**
   * Takes note of the addresses that a peer gives of itself. True if an address makes sense. Whether others may be sent
   * there is decided when they are.
   */
  introduce(id: Uint8Array, addresses: readonly Uint8Array[]): boolean;
  /**
   * The peer with the addresses at which others may be sent to it; undefined if there are none, or it is not a member.
   * A peer that provides content need not be in the table: it may not answer questions itself.
   */
  describe(name: string): DescribedPeer | undefined;
  /** Asks the gate about all peers again. Peers without an address that a member can have leave the table. */
  reconsider(): void;
  lifeOf(name: string): PeerLife;
  /** For how many ms the peer has been in its state; undefined while that is not known. */
  inStateMs(name: string): number | undefined;
  /** True if the end of the peer's connection was agreed on within so many ms. */
  hasParted(name: string, withinMs: number): boolean;
  /** True if the peer has said within so many ms that it leaves, and was not there since. */
  hasLeft(name: string, withinMs: number): boolean;
  /** True for a few seconds after the loss of a member that had not said that it leaves. */
  isUnsettled(): boolean;
  /** How many peers are in each state that is known. */
  counts(): Readonly<Record<Exclude<PeerLife, 'unknown'>, number>>;
}
