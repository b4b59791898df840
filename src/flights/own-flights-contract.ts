import type { Logger } from '../observe/log.ts';
import type { Digest } from '../oci/digest.ts';
import type { Clock } from '../runtime/clock.ts';
import type { ContentStore } from '../store/content-store.ts';
import type { FlightNetwork } from './flight-network.ts';
import type { Tower } from './tower.ts';

/** What createOwnFlights needs. */
export interface OwnFlightsDeps {
  readonly network: Pick<FlightNetwork, 'self' | 'towersOf' | 'report'>;
  readonly tower: Pick<Tower, 'report'>;
  readonly store: Pick<ContentStore, 'downloads' | 'stat'>;
  /** True if downloads that this process was not asked for are told of, too: only where all content is shared. */
  readonly adoptsDownloads: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A download of this node that is part of a flight. */
export interface OwnDownload {
  readonly digest: Digest;
  /** True for a download from upstream. */
  readonly isRoot: boolean;
  /** See OwnFlights.isStuck(). */
  readonly isStuck: boolean;
}

/** What this node downloads, as others know it. */
export interface OwnFlights {
  /**
   * This node's client downloads the digest, from upstream (`isRoot`) or from a peer: the towers are told how it goes on.
   * `isInRanges`: in several requests, which wait for their turn among those of other downloads. `isManifest`: the towers are
   * told its end in any case, because it leads an image.
   */
  take(
    digest: Digest,
    isRoot: boolean,
    how?: { readonly isInRanges?: boolean; readonly isManifest?: boolean },
  ): void;
  /** All of them, for those who look. */
  list(): readonly OwnDownload[];
  /**
   * This node's client has left a body of the digest. If it asks for no other, and the download stands still, that is not
   * because the peer gives nothing.
   */
  left(digest: Digest): void;
  /** This node's client asks for the digest, until the result is disposed: it will be told where to take it from. */
  asks(digest: Digest): Disposable;
  /** True from when this node's client asks for the digest until its download is over. */
  isWanted(digest: Digest): boolean;
  /** True from when this node's client was told where to take the digest from until its download is over. */
  isPromised(digest: Digest): boolean;
  /** True while that download is one in ranges, see take(). */
  isInRanges(digest: Digest): boolean;
  /** True while that download neither stands still nor crawls. */
  isGoingOn(digest: Digest): boolean;
  /** True while bytes come: it does not wait for its turn here, nor, as far as can be seen, at the node that gives it. */
  isMoving(digest: Digest): boolean;
  /** True while a download from upstream that this node's client was sent to has not begun, and may yet. */
  hasQueued(): boolean;
  /** True when the download of the digest stands still, or crawls, so that nobody should wait for it. */
  isStuck(digest: Digest): boolean;
  /**
   * Calls the listener when isStuck() turns true, or isPromised() false, for a digest; `isThere`: this node has it now.
   * Returns what ends that.
   */
  onEnd(listener: (digest: Digest, isThere: boolean) => void): () => void;
  /** Works until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}
