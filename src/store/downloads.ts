import type { Digest } from '../oci/digest.ts';

/** A blob that the backend is downloading. */
export interface Download {
  readonly digest: Digest;
  /** Size of the whole blob in bytes; undefined if the backend, which downloads it, does not know it. */
  readonly sizeBytes: number | undefined;
  /** Bytes that are there, in order from the first. 0: the download has not begun, and may be waiting for its turn. */
  readonly writtenBytes: number;
  /** The file that holds these bytes. Opened before the commit, which renames it, it can be read through the commit. */
  readonly path: string;
  /** False when the download was given up: nothing more is written, unless it is taken up again. */
  readonly isRunning: boolean;
  /** When its bytes grew last, or when it was first seen, in ms of the clock. */
  readonly grownMs: number;
}

/**
 * Downloads that are under way on this node. Their bytes are not verified: the backend does that when it commits them.
 * A blob whose download was committed is gone from here some ms before the store knows it.
 */
export interface Downloads {
  /** The download of the blob, as last seen; undefined if there is none, or none any more: it was committed or removed. */
  get(digest: Digest): Download | undefined;
  all(): Iterable<Download>;
  /** Calls the listener when a download begins, grows, is given up, taken up again, or is gone. Returns what ends that. */
  subscribe(listener: (digest: Digest) => void): () => void;
}
