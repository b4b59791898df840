import type { LookupOptions, Peer } from '../../routing/router.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Timers } from '../../runtime/timers.ts';
import type { FailureDetector } from '../peers/failure-detector.ts';
import type { PeerLife } from '../peers/peer-states.ts';
import type { PeerTable } from '../peers/peer-table.ts';
import type { ProviderRecords } from '../provide/provider-records.ts';
import type { NamedPeer } from '../wire/dht-message.ts';
import type { ProvidersAnswer } from '../wire/get-providers-message.ts';

/** How lookups reach other nodes. */
export interface LookupNetwork {
  /** Asks a peer for the providers of the content. Rejects when it does not answer. */
  ask(peer: NamedPeer, multihash: Uint8Array): Promise<ProvidersAnswer>;
  /** True while it makes no sense to wait for the peer. */
  isSilent(peer: NamedPeer): boolean;
}

/** A provider that can be asked for content, as the Router names it. */
export interface Provider extends Peer {
  /** Its name in this room, hex. */
  readonly name: string;
}

/** What createProviderLookups needs. */
export interface ProviderLookupsDeps {
  /** This node's ID. */
  readonly self: Uint8Array;
  readonly network: LookupNetwork;
  readonly records: Pick<ProviderRecords, 'providersOf'>;
  readonly peers: Pick<PeerTable, 'closest' | 'isAmongClosest'>;
  /** A provider with the addresses that it gives of itself, see PeerBook. */
  readonly describe: (name: string) => NamedPeer | undefined;
  /** How a peer is, see PeerBook. */
  readonly lifeOf: (name: string) => PeerLife;
  /** Where a peer is; undefined: it has not said so. */
  readonly zoneOf: (name: string) => string | undefined;
  /** See FailureDetector: a peer that is quiet is probed before it is handed out. */
  readonly detector: Pick<FailureDetector, 'isQuiet' | 'confirm'>;
  /** The peer as others see it; undefined when it has no address that this node may go to. */
  readonly toProvider: (peer: NamedPeer) => Provider | undefined;
  /** Told of a provider that is left out because it is dead, as it was named: it may have come back, elsewhere. */
  readonly onDeadNamed?: (peer: NamedPeer) => void;
  /** Told of a peer that takes long to answer. */
  readonly onSlow?: (peer: NamedPeer) => void;
  readonly observer?: LookupObserver;
  /** A number from 0 up to, not including, 1. Default Math.random. */
  readonly random?: () => number;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly timers: Timers;
}

/** Gets what a lookup did, for metrics. */
export interface LookupObserver {
  /** A walk through the network has ended, by itself or because no lookup listened any more. */
  walkEnded(walk: { readonly durationMs: number; readonly asked: number; readonly found: number }): void;
  /** A lookup yielded its first provider, or ended without any. */
  lookupEnded(outcome: LookupOutcome): void;
}

/** Where a lookup's first provider came from. */
export type LookupOutcome = 'record' | 'kept' | 'network' | 'nobody';

/** Looks up the providers of keys. */
export interface ProviderLookups {
  /**
   * Yields the peers that provide the key, a peer for each time that it is asked. First come peers that this node keeps
   * a record of, then peers that it found a moment ago. Only then come the network's, as they are found. Dead peers are
   * left out; suspect peers come last. Ends when the signal aborts, without throwing.
   */
  lookup(key: string, options: LookupOptions): AsyncGenerator<Peer, void, undefined>;
  /**
   * The peer has said that it knows no provider of the key: the next lookup need not ask again, if the peer must know it.
   * Believed once in a while for each key, so that what asks again is searched for, whatever the peer says.
   */
  absent(key: string, by: string): void;
  /** Tells of a peer that has just been met: its records may still be on their way to it. */
  peerJoined(name: string): void;
}
