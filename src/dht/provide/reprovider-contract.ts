import type { Logger } from '../../observe/log.ts';
import type { Clock } from '../../runtime/clock.ts';

/** The network as the reprovider sees it. Peers are named by any string, always the same. */
export interface ReproviderNetwork {
  /** The `count` known peers that are closest to the position in the keyspace, the closest first. */
  closestPeers(position: Uint8Array, count: number): readonly string[];
  /** True if the peer is among them. */
  isAmongClosest(peerId: string, position: Uint8Array, count: number): boolean;
  /** The position of a peer in the keyspace, if it is known. */
  positionOf(peerId: string): Uint8Array | undefined;
  /** How many peers are known. With k or fewer, all are among the closest of every key. */
  peerCount(): number;
  /** Connects to the peer, when its turn has come. Rejects when it cannot be reached. */
  connect(peerId: string): Promise<void>;
  /**
   * Gives the peer, which is connected, records that say that this node provides the multihashes; resolves once it has
   * taken them.
   */
  send(peerId: string, multihashes: readonly Uint8Array[], signal: AbortSignal): Promise<void>;
  /** Keeps or renews this node's own record, so that it answers for itself. */
  keepOwn(multihash: Uint8Array): void;
  /** Forgets this node's own record. */
  dropOwn(multihash: Uint8Array): void;
  /** True while there is a connection to the peer: then it is there, or others find out that it is not. */
  isConnected(peerId: string): boolean;
  /** Called when a peer did not take records after several tries, and is not connected. */
  gone(peerId: string, cause: unknown): void;
}

/** Gets what the reprovider does, for metrics. */
export interface ReproviderObserver {
  /** Records were taken by a peer. */
  recordsSent(count: number): void;
  /**
   * An interval is over in which so many keys were provided again, in so many ms of work; `lagMs` after they were due
   * at most.
   */
  sweepEnded(sweep: { readonly keys: number; readonly busyMs: number; readonly lagMs: number }): void;
}

/** What createReprovider needs. */
export interface ReproviderDeps {
  readonly network: ReproviderNetwork;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly observer?: ReproviderObserver;
  /** A number from 0 up to, not including, 1. Default Math.random. */
  readonly random?: () => number;
}

/** Tunables; all but `replication` are for tests. */
export interface ReproviderOptions {
  /** k: how many peers get each record. */
  readonly replication: number;
  /** Peers that get a new record at once; the others of the k get it with what else comes meanwhile. */
  readonly earlyReplicas?: number;
  readonly lateReplicasDelayMs?: number;
  readonly reprovideIntervalMs?: number;
  readonly sendRetryInitialMs?: number;
  readonly newPeerDelayMs?: number;
  readonly namedPeerDelayMs?: number;
  readonly leftPeerDelayMs?: number;
}

/** Keeps the records of this node's keys at the peers that are closest to them. */
export interface Reprovider extends AsyncDisposable {
  /**
   * Starts to provide the keys. Resolves when each record has been taken by at least one peer, or when no peer is known
   * yet: peers get the records when they come. Rejects when every peer refused. Either way the keys are kept.
   */
  provide(keys: readonly string[], signal?: AbortSignal): Promise<void>;
  /** Stops providing the keys. Unknown keys are not an error. */
  stop(keys: readonly string[]): void;
  /** Tells of a peer that was not known before: it gets the records that belong to it. */
  peerJoined(peerId: string): void;
  /** Tells of a peer that another peer has named: it gets the records that belong to it, too, but not at once. */
  peerNamed(peerId: string): void;
  /** Tells of a peer that is gone: if it does not come back soon, the peers next to it get the records that it had. */
  peerLeft(peerId: string, position: Uint8Array): void;
  /**
   * Tells of a peer that is there without a connection to this node: what belongs to it and was not sent is sent later.
   */
  peerParted(peerId: string): void;
  /** True while records wait to be sent to the peer, or are being sent. */
  isSendingTo(peerId: string): boolean;
  /** How many keys are provided, and how many records wait to be sent. */
  stats(): { readonly keys: number; readonly waiting: number };
}
