import type { Digest } from '../oci/digest.ts';
import type { Reference } from '../oci/reference.ts';
import type { Downloads } from './downloads.ts';

/** A blob that is on this node's disk. */
export interface Blob {
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** The file that holds it, read-only. It may vanish at any time: opening it is the last word. */
  readonly path: string;
  /** A number for the state of that file: another one after its bytes may have changed. */
  readonly stamp: number;
  /** All of it, as it is in the file now; only if that was asked for, and was at hand. */
  readonly bytes?: Uint8Array | undefined;
}

/** A tag that names a manifest on this node. */
export interface Tag {
  readonly registry: string;
  readonly repository: string;
  readonly tag: string;
  readonly digest: Digest;
}

/** All that this node can serve at one moment. */
export interface StoreSnapshot {
  /** Tags whose manifest is on disk. */
  readonly tags: readonly Tag[];
  /** Every servable blob, by digest: also those that no image names yet (a pull in progress, ctr content fetch). */
  readonly blobs: ReadonlySet<Digest>;
}

/** What changed on this node. Events may repeat; they are never the only way to learn of a change (see `resync`). */
export type StoreEvent =
  | { readonly kind: 'blob-added'; readonly digest: Digest }
  | { readonly kind: 'blob-removed'; readonly digest: Digest }
  | { readonly kind: 'tag-added'; readonly tag: Tag }
  | { readonly kind: 'tag-removed'; readonly tag: Tag }
  /** An image came, went, or leads elsewhere: what `references` says of these digests may be another now. */
  | { readonly kind: 'image-changed'; readonly name: string; readonly digests: readonly Digest[] }
  /** The whole state, at the start of a watch, after a reconnection, and from the periodic reconcile. */
  | { readonly kind: 'resync'; readonly snapshot: StoreSnapshot };

/** Options of every call that may wait. */
export interface StoreCallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Instead of `signal`: makes it when something has to be waited for. What is known at once needs none. */
  readonly waitSignal?: (() => AbortSignal) | undefined;
}

/** Options of stat(). */
export interface StatOptions extends StoreCallOptions {
  /** Of a blob of at most so many bytes its bytes are wanted, too, if they are at hand. Default: of none. */
  readonly bytesUpTo?: number | undefined;
}

/** The signal of a call that has to wait. */
export function signalToWait({ signal, waitSignal }: StoreCallOptions): AbortSignal | undefined {
  return signal ?? waitSignal?.();
}

/**
 * What this node has. The implementations pass the suite in content-store.conformance.ts.
 * A blob counts as present if it is on disk and the configured containerd namespace knows it.
 *
 * While the backend is away (or hangs), what it was last known to have and is still on disk is served as
 * before, and what is not on disk is absent; calls that need the backend's word, such as for a tag or a file
 * that was never heard of, and list(), reject with StoreUnavailableError.
 */
export interface ContentStore {
  /** What the backend is downloading, from the disk: also while the backend is away. */
  readonly downloads: Downloads;
  /** The digest that a tag names, or undefined if the tag is unknown or its manifest is not on disk. */
  resolve(
    registry: string,
    repository: string,
    tag: string,
    options?: StoreCallOptions,
  ): Promise<Digest | undefined>;
  /**
   * The blob, or undefined if this node does not have it: at once where nothing has to be waited for to know. That it cannot be
   * told is a rejection, never thrown.
   */
  stat(digest: Digest, options?: StatOptions): Blob | undefined | Promise<Blob | undefined>;
  /** The bytes of a small blob (a manifest), which are the caller's; undefined if absent, RangeError if larger than maxBytes. */
  read(digest: Digest, maxBytes: number, options?: StoreCallOptions): Promise<Uint8Array | undefined>;
  /** The names of the images that lead to the digest, from memory: empty for content that no image names (yet). */
  references(digest: Digest): readonly Reference[];
  /** The registries of which this node has the tag in that repository, from memory. */
  registriesOf(repository: string, tag: string): readonly string[];
  /** True if an image of this node is of the registry, from memory. */
  hasRegistry(registry: string): boolean;
  /** Everything at this moment. */
  list(options?: StoreCallOptions): Promise<StoreSnapshot>;
  /** Yields a `resync` first, then changes as they happen, until the signal aborts (then it ends without throwing). */
  watch(signal: AbortSignal): AsyncIterable<StoreEvent>;
}

/** The backend (containerd) does not answer; `cause` has the transport's error. */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError';
  readonly code = 'STORE_UNAVAILABLE';
}
