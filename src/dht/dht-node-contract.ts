import type { Logger } from '../observe/log.ts';
import type { LookupOptions, Peer } from '../routing/router.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Timers } from '../runtime/timers.ts';
import type { LookupNetwork, LookupObserver, Provider } from './lookup/provider-lookups-contract.ts';
import type { CrawlNetwork } from './peers/crawler-contract.ts';
import type { PeerGate } from './peers/peer-book-contract.ts';
import type { PeerCapabilities, PeerFacts } from './peers/peer-record.ts';
import type { PeerLife } from './peers/peer-states.ts';
import type { ReproviderObserver } from './provide/reprovider-contract.ts';
import type { NamedPeer } from './wire/dht-message.ts';

/** How a node of the DHT reaches the others. Peers are named by their ID in hex. */
export interface DhtNetwork extends LookupNetwork, CrawlNetwork {
  /**
   * Sends the peer messages that have no answer, each with its length in front. There may be no message at all.
   * Resolves when the peer has taken them; rejects when it does not say so in time.
   */
  deliver(peer: NamedPeer, messages: Uint8Array): Promise<void>;
  /** Sends a notice with its length in front to a peer that understands them; rejects when it cannot be sent. */
  notify(peer: NamedPeer, notice: Uint8Array): Promise<void>;
  /** The peer has been heard: that it did not answer before does not count any more. */
  heard(name: string): void;
  /**
   * Tries to connect to a peer that counts as dead and that another peer names: it may have come back. Works in the
   * background, and not often.
   */
  probe(peer: NamedPeer): void;
  /** The connection to the peer is about to end, which is not a loss. `isOurs`: this node is to end it. */
  part(name: string, isOurs: boolean): void;
  /** Ends the connections to a peer that has left or does not answer. It is left alone until it comes by itself. */
  drop(name: string): void;
}

/** Gets what a node does, for metrics. */
export interface DhtObserver extends LookupObserver, ReproviderObserver {}

/** What createDhtNode needs. */
export interface DhtNodeDeps {
  /** This node's ID: the multihash of its public key. */
  readonly self: Uint8Array;
  /** The multiaddrs in binary at which others reach this node now. */
  readonly addresses: () => readonly Uint8Array[];
  readonly network: DhtNetwork;
  readonly gate: PeerGate;
  /** See ProviderLookupsDeps. */
  readonly toProvider: (peer: NamedPeer) => Provider | undefined;
  /**
   * Called for a member that connects or answers again: its failures of before do not count any more. May repeat
   * itself.
   */
  readonly onReturned?: (name: string) => void;
  readonly observer?: DhtObserver;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly timers: Timers;
  /** A number from 0 up to, not including, 1. Default Math.random. */
  readonly random?: () => number;
}

/** Figures of a node at this moment. */
export interface DhtStats {
  readonly records: number;
  /** Keys that any peer provides, as far as this node was told. */
  readonly recordedKeys: number;
  readonly refusedRecords: number;
  /** Keys that this node provides. */
  readonly providedKeys: number;
  /** Records that wait to be sent. */
  readonly waitingRecords: number;
  /** Other nodes that it knows, connected or not. */
  readonly knownPeers: number;
  /** Each peer is in one state only: a peer that is connected and does not answer counts as dead. */
  readonly peers: { readonly connected: number; readonly suspect: number; readonly dead: number };
}

/** One node's part in the DHT, without the connections. */
export interface DhtNode extends AsyncDisposable {
  /** Takes a message of the DHT's protocol, see RpcHandler. */
  answer(from: Uint8Array, message: Uint8Array): Uint8Array | undefined;
  /** Takes a notice without its length. Throws MessageError when it makes no sense. */
  notice(from: Uint8Array, message: Uint8Array): void;
  /** A peer that speaks the protocol is connected; also when it says something new of itself. */
  connected(id: Uint8Array, facts: PeerFacts): void;
  /** The peer has come back on a new connection before the old connection ended: it may have lost all that it knew. */
  replaced(id: Uint8Array): void;
  /** The last connection to the peer has ended. */
  disconnected(id: Uint8Array): void;
  /** The peer cannot be dialled. */
  unreachable(id: Uint8Array): void;
  /** The peer is not a member any more: nothing that it said counts. */
  dismissed(id: Uint8Array): void;
  /** True while a member that speaks the protocol is connected, by its name. */
  isMemberConnected(name: string): boolean;
  /** True while any member that speaks the protocol is connected. */
  hasPeers(): boolean;
  /**
   * Ends connections to the `count` peers that are needed least, after telling them. Connections that are ending
   * already count. The peers stay known, and neither end dials the other until it is needed. Where any more connections
   * have to end, `step` more than that do. Returns how many it has begun to end.
   */
  makeRoom(count: number, step?: number): number;
  /** True for a peer that is not connected and has parted a while ago at most, whichever end needed the room. */
  hasParted(name: string): boolean;
  /** True for a peer that has said within so many ms that it leaves, and was not there since. */
  hasLeft(name: string, withinMs: number): boolean;
  /** Asks the gate again about all peers: the membership has changed. */
  reconsider(): void;
  /** See Router. */
  lookup(key: string, options: LookupOptions): AsyncGenerator<Peer, void, undefined>;
  /** See ProviderLookups. Nothing while nodes were lost a moment ago. */
  absent(key: string, by: string): void;
  /** See Router. */
  isUnsettled(): boolean;
  /** See Reprovider.provide. */
  provide(keys: readonly string[], signal?: AbortSignal): Promise<void>;
  /** Stops providing the keys, and tells the peers that hold their records. */
  withdraw(keys: readonly string[]): void;
  /** The peers that this node's records name as providers of the key. */
  recorded(key: string): readonly string[];
  /** True if this node's records name the peer. */
  isProvider(name: string): boolean;
  /**
   * The names of the nodes that are closest to the key and can do something, at most `count`, the closest first: members
   * that are connected and answer, and this node itself.
   */
  nearest(key: string, count: number, capability: keyof PeerCapabilities): readonly string[];
  /** True for another node that is told at once when this node provides the key: it is one of the closest. */
  isToldFirst(name: string, key: string): boolean;
  /** A member that others can be sent to, or this node; undefined for a node that counts as dead or is not known. */
  describe(name: string): NamedPeer | undefined;
  /** Where the node is, or this node; undefined: it has not said so. */
  zoneOf(name: string): string | undefined;
  /** What the node is called, or this node; undefined: it has not said so. */
  nodeNameOf(name: string): string | undefined;
  stats(): DhtStats;
  /** How the peer is, as far as this node knows, and for how many ms that has been so. */
  lifeOf(name: string): { readonly life: PeerLife; readonly forMs: number | undefined };
}

/** Settings of createDhtNode. */
export interface DhtNodeOptions {
  /** Provider records that it holds at most. Default MAX_PROVIDER_RECORDS. */
  readonly maxRecords?: number;
  /** Connections that it has at most. Default: no more than it needs. */
  readonly maxConnections?: number;
  /** Where this node is, see isLabelValue(): the peers that it meets are told. Default: that is not known. */
  readonly zone?: string | undefined;
  /** What this node is called, see isNodeName(): the peers that it meets are told. Default: nothing. */
  readonly nodeName?: string | undefined;
}
