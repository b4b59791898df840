/** Another node that can be asked over HTTP. */
export interface Peer {
  /** The libp2p peer ID, base58 (`12D3KooW…`). */
  readonly id: string;
  /** IP addresses, without brackets, in the order to try. The port is the one registry port of the cluster. */
  readonly addresses: readonly string[];
  /** Where it is, by its own word, see isLabelValue(); undefined: it has not said so. */
  readonly zone?: string | undefined;
}

/**
 * What is known of whether a peer is there. `suspect`: its connection has just ended. `dead`: and it cannot be reached,
 * has left, or does not answer; it is not handed out. `known`: it is not connected, and nothing speaks against it.
 */
export type PeerCondition = 'connected' | 'suspect' | 'dead' | 'known';

/** A peer as the router sees it now. */
export interface PeerState extends Peer {
  /** What its node is called, by its own word, see isNodeName(); undefined: it has not said so. */
  readonly name?: string | undefined;
  /** Multiaddrs as announced. */
  readonly multiaddrs: readonly string[];
  readonly connected: boolean;
  readonly state: PeerCondition;
  /** Milliseconds for which it has been in this state; undefined if that is not known. */
  readonly inStateMs?: number | undefined;
  /** True if it belongs to the cluster: only then it is asked and handed out. */
  readonly isMember: boolean;
  /** Milliseconds since the last successful contact; undefined if never. */
  readonly lastSeenMs?: number | undefined;
}

/** This node in the routing network. */
export interface SelfState {
  readonly id: string;
  readonly multiaddrs: readonly string[];
  /** Where it is; undefined: that is not known. */
  readonly zone?: string | undefined;
  /** What it is called; undefined: nothing. */
  readonly name?: string | undefined;
}

/**
 * How a round of looking for the first peers has ended. `alone`: no node but this one is named. `unnamed`: a domain names no
 * node, not even this one.
 */
export type BootstrapOutcome = 'joined' | 'alone' | 'unnamed' | 'failed';

/** The last round of looking for the first peers. */
export interface BootstrapState {
  /** Where it looks: `dns`, `http` or `static`. */
  readonly kind: string;
  readonly outcome: BootstrapOutcome;
  /** Why, with `unnamed` and `failed`. */
  readonly reason: string | undefined;
}

/** Options of a lookup. */
export interface LookupOptions {
  /** Ends the lookup; the iteration then ends without throwing. */
  readonly signal: AbortSignal;
  /** Most peers to yield. */
  readonly limit: number;
  /**
   * Awaited before other nodes are asked, where this node knows providers by itself: they may be enough. Must not reject, and
   * must resolve when the signal aborts. Default: other nodes are asked as soon as the iteration goes on.
   */
  readonly beforeAsking?: (() => Promise<void>) | undefined;
}

/**
 * Who has which content. Keys are digests or `registry/repository:tag`.
 * The implementations pass the suite in router.conformance.ts.
 */
export interface Router {
  /** True once peers are known, or bootstrap has found nobody but this node. Never flips back. */
  ready(): boolean;
  /** Peers that provide the key, as they are found, never this node, none twice. */
  lookup(key: string, options: LookupOptions): AsyncIterable<Peer>;
  /**
   * True for a few seconds after nodes were lost: a lookup may take longer than usual then, as those who are asked are
   * busy with the loss, too.
   */
  isUnsettled(): boolean;
  /** Announces that this node provides the keys, and keeps announcing them until they are withdrawn. Many keys per call are the normal case. */
  advertise(keys: readonly string[], options?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
  /** Stops announcing. Records that others hold fade by themselves (19 minutes). Unknown keys are no error. */
  withdraw(keys: readonly string[]): Promise<void>;
  /** Every peer that is known now. */
  peers(): Promise<readonly PeerState[]>;
  self(): SelfState;
}
