import type { Digest } from '../oci/digest.ts';
import type { Download, Downloads } from './downloads.ts';

/** What is known of the downloads of a node. A blob may be downloaded twice, under two ids. */
export interface DownloadState {
  /** What of it others see. */
  readonly downloads: Downloads;
  /** Sets the download of an id, whose digest stays the same. */
  set(id: string, download: Download): void;
  /** Forgets the download of an id, if there is one. */
  delete(id: string): void;
}

/** No downloads. */
export function createDownloadState(): DownloadState {
  const byDigest = new Map<Digest, Map<string, Download>>();
  const digests = new Map<string, Digest>();
  const listeners = new Set<(digest: Digest) => void>();

  function best(digest: Digest): Download | undefined {
    let found: Download | undefined;
    for (const download of byDigest.get(digest)?.values() ?? []) {
      if (found === undefined || isBetter(download, found)) found = download;
    }
    return found;
  }

  /** Tells of what the work changes in the download that counts. */
  function change(digest: Digest, work: () => void): void {
    const before = best(digest);
    work();
    const after = best(digest);
    if (isSame(before, after)) return;
    for (const listener of listeners) listener(digest);
  }

  return {
    downloads: {
      get: best,
      *all() {
        for (const digest of byDigest.keys()) {
          const download = best(digest);
          if (download !== undefined) yield download;
        }
      },
      subscribe(listener) {
        // A function of its own, so that one listener can subscribe twice.
        const own = (digest: Digest) => listener(digest);
        listeners.add(own);
        return () => void listeners.delete(own);
      },
    },
    set(id, download) {
      const { digest } = download;
      change(digest, () => {
        digests.set(id, digest);
        const ofDigest = byDigest.get(digest);
        if (ofDigest === undefined) byDigest.set(digest, new Map([[id, download]]));
        else ofDigest.set(id, download);
      });
    },
    delete(id) {
      const digest = digests.get(id);
      if (digest === undefined) return;
      change(digest, () => {
        digests.delete(id);
        const ofDigest = byDigest.get(digest);
        ofDigest?.delete(id);
        if (ofDigest?.size === 0) byDigest.delete(digest);
      });
    },
  };
}

/** Of two downloads of one blob the one that runs counts, then the one with more bytes. */
function isBetter(one: Download, other: Download): boolean {
  if (one.isRunning !== other.isRunning) return one.isRunning;
  return one.writtenBytes > other.writtenBytes;
}

function isSame(one: Download | undefined, other: Download | undefined): boolean {
  return (
    one?.path === other?.path &&
    one?.sizeBytes === other?.sizeBytes &&
    one?.writtenBytes === other?.writtenBytes &&
    one?.isRunning === other?.isRunning
  );
}
