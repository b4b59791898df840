import type { Assigned } from '../flights/flight-seat.ts';
import type { TransportClient, BodySource, MoveEnd } from '../http/transport.ts';
import type { TransferFlight } from '../observe/transfer-log.ts';
import type { ByteRange, RangeSpec } from '../oci/byte-range.ts';
import type { Digest } from '../oci/digest.ts';
import type { Peer } from '../routing/router.ts';
import type { ByteBudget } from '../runtime/memory/byte-budget.ts';
import type { Blob } from '../store/content-store.ts';
import type { DeliveredBlobs } from './delivered-blobs.ts';
import type { FlightSourcesDeps } from './flight-sources.ts';
import type { FlownBlobs } from './flown-blobs.ts';
import type { KnownSizes } from './known-sizes.ts';
import type { PieceHistory } from './piece-history.ts';
import type { Relays } from './relays.ts';
import type { PeerSession, PeerSessionDeps } from './peer-session.ts';
import type { SlowBlobs } from './slow-blobs.ts';
import type { BodyPace, ThroughputFloor } from './throughput-floor.ts';

/** What opening sources needs. */
export interface BlobSourcesDeps extends PeerSessionDeps {
  readonly smallBlobs: ByteBudget;
  readonly transport: Pick<TransportClient, 'openFile' | 'openBytes' | 'request' | 'readBody'>;
  readonly sizes: KnownSizes;
  readonly floor: ThroughputFloor;
  readonly slowBlobs: SlowBlobs;
  readonly flownBlobs: FlownBlobs;
  /** Undefined: there are none. */
  readonly flights?: FlightSourcesDeps['flights'] | undefined;
  readonly relays: Relays;
  /** Undefined: what containerd refuses is not looked at. */
  readonly delivered?: DeliveredBlobs | undefined;
  readonly pieces: PieceHistory;
}

/** Options that have a flag. */
export interface TransferOptions {
  /** Every node's registry listens on this port. */
  readonly registryPort: number;
  /** Longest wait for a peer to be found, while none is being asked, in ms (--mirror-resolve-timeout). */
  readonly resolveTimeoutMs: number;
  /** Most peers to ask before giving up, without those that are gone (--mirror-resolve-retries). */
  readonly resolveRetries: number;
  /**
   * The longest that a request waits in all for the first byte of what another node is about to download, in ms
   * (--flights-max-hold): that node's containerd takes three layers at a time, in an order of its own. A node that is dead,
   * stopped or stands still is found much earlier.
   */
  readonly flightsMaxHoldMs: number;
  /** Where this node is (--zone): peers there are asked first. Default: that is not known. */
  readonly zone?: string | undefined;
  /** What this node is called (--node-name). Default: nothing. */
  readonly nodeName?: string | undefined;
  /** The Authorization header that peers want, if the cluster has basic auth. */
  readonly authorization?: string | undefined;
  /** Most bytes of a blob that is got whole and verified before it goes on. Default: 64 KiB, and 256 KiB of a config. */
  readonly wholeBytes?: number | undefined;
}

/** A blob for one client. */
export interface BlobRequest {
  readonly digest: Digest;
  readonly repository: string;
  readonly registry: string | undefined;
  readonly range: RangeSpec | undefined;
  /** The blob in this node's store, if it is there. */
  readonly local: Blob | undefined;
  /** False for a request that another node forwarded: then only the store counts. */
  readonly mayAskPeers: boolean;
  /** Further headers of the answer. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** True for a request of this node's own client, which downloads what this node does not give: it takes part in flights. */
  readonly isOwn?: boolean | undefined;
  /** True for a request of this machine itself: what its containerd makes of the bytes says whether they were right. */
  readonly isJudged?: boolean | undefined;
  /**
   * Takes memory, in bytes, until the result is disposed; undefined if there is none just now. Without it the body comes from
   * one peer at a time.
   */
  readonly takeMemory?: ((bytes: number) => Promise<Disposable | undefined>) | undefined;
  /** Told of a source before its bytes are moved, unless these are a piece of several. Must not throw. */
  readonly onSource?: ((origin: string) => void) | undefined;
  /** Told how each source ended that bytes were moved from. Must not throw. */
  readonly onMoved?: ((origin: string, end: MoveEnd) => void) | undefined;
  /** Told of the part of a flight in it, each time that it changes. Must not throw. */
  readonly onFlight?: ((flight: TransferFlight) => void) | undefined;
}

/** A source of a part of the blob, checked against what was asked for. */
export interface OpenedBlob {
  readonly source: BodySource;
  readonly range: ByteRange;
  readonly sizeBytes: number;
  /** The peer's address, or `local`. */
  readonly origin: string;
  /** Undefined for this node's own file. */
  readonly peer: Peer | undefined;
  readonly stallTimeoutMs: number;
  /** Judges the source while it is moved; undefined for what this node has itself by now. */
  readonly pace: BodyPace | undefined;
  /** Where the source was named by the tower of a flight. */
  readonly assigned?: Assigned | undefined;
}

/** A peer that has the blob, and can be asked for parts of it. */
export interface Holder {
  readonly peer: Peer;
  /** The address where it answered. */
  readonly host: string;
  /** Where it was named by the tower of a flight. */
  readonly assigned?: Assigned | undefined;
}

/** A part of the blob that is asked of a holder. */
export interface HolderPart {
  readonly range: ByteRange;
  /** The size of the blob: a body of it is under way. */
  readonly sizeBytes: number;
  /** See PeerRequestLimits. */
  readonly aheadBytes?: number | undefined;
}

/** Where a blob's bytes can come from, one source after the other: the own file first, then peers. */
export interface BlobSources extends Disposable {
  /** Opens the next source for the range, or undefined if there is none. With `replacing`, a body is under way. */
  open(part: {
    readonly range: RangeSpec | undefined;
    readonly sizeBytes: number | undefined;
    readonly replacing: boolean;
  }): Promise<OpenedBlob | undefined>;
  /** The holder behind a source, if others that have the whole blob may give the rest in its place. */
  holderOf(opened: OpenedBlob): Holder | undefined;
  /** Finds a holder that was not asked before; undefined if there is none. One call at a time. */
  findHolder(sizeBytes: number): Promise<Holder | undefined>;
  /**
   * Opens a part at a holder; undefined if it does not give it, which is told like the other failures of a peer. Whoever
   * asks for bytes ahead judges their pace: it comes without.
   */
  openAt(holder: Holder, part: HolderPart): Promise<OpenedBlob | undefined>;
  /** Tells how the move of a source ended, for the peer's record and the metrics. */
  moved(opened: OpenedBlob, end: MoveEnd): void;
  /** True if the blob should have been in the store and could not be opened. */
  readonly localVanished: boolean;
  /** The blob's size as a peer gave it that called the range unsatisfiable. */
  readonly sizeSaid: number | undefined;
  /** How many peers are not asked any more because they were slow with this blob; 0 while others may be asked. */
  readonly slowSources: number;
  /** The peers' part of the story, once any was looked for. */
  readonly peers: Pick<PeerSession, 'attempts' | 'skipped' | 'refusals'> | undefined;
}
