import type { Digest } from '../oci/digest.ts';

/** What the backend has of a blob that it downloads, kept open: it can be read when the backend has thrown it away, too. */
export interface Ingest extends Disposable {
  readonly digest: Digest;
  /** How many bytes the blob has, as the backend was told by a manifest; undefined: it was not. */
  readonly sizeBytes: number | undefined;
  /** Of the file that holds its bytes; closed by disposing. */
  readonly descriptor: number;
  /** Bytes that are there now. */
  writtenBytes(): number;
  /** What became of it: the backend writes it or is about to commit it, has closed it, or has removed it from where it was. */
  state(): 'open' | 'closed' | 'gone';
  /**
   * Has the backend throw it away, so that its next try begins at byte 0. False if it is gone, or was begun anew or written to
   * since writtenBytes() was asked last. Rejects with StoreUnavailableError.
   */
  abort(): Promise<boolean>;
}

/** The downloads of the backend that have not become blobs. */
export interface Ingests {
  /** Opens the ingest of the blob; undefined if there is none (any more). Of several, the one with the most bytes. */
  open(digest: Digest): Promise<Ingest | undefined>;
}
