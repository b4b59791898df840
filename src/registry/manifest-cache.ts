import type { Digest } from '../oci/digest.ts';
import type { FetchedManifest } from '../transfer/fetch-manifest.ts';

/**
 * Manifests that came from peers or were read a moment ago, by digest, least recently used out first. containerd asks
 * HEAD by tag, then GET by digest: the second is answered with what the first has fetched, so a tag that
 * was answered has a manifest. The bytes were verified, so they never go stale.
 */
export interface ManifestCache {
  get(digest: Digest): FetchedManifest | undefined;
  put(manifest: FetchedManifest): void;
}

/** Creates a cache of at most so many bytes. */
export function createManifestCache(maxBytes: number): ManifestCache {
  const entries = new Map<Digest, FetchedManifest>();
  let cachedBytes = 0;
  const remove = (manifest: FetchedManifest) => {
    if (entries.delete(manifest.digest)) cachedBytes -= manifest.bytes.byteLength;
  };
  return {
    get(digest) {
      const manifest = entries.get(digest);
      if (manifest !== undefined) {
        entries.delete(digest);
        entries.set(digest, manifest);
      }
      return manifest;
    },
    put(manifest) {
      const before = entries.get(manifest.digest);
      if (before !== undefined) remove(before);
      entries.set(manifest.digest, manifest);
      cachedBytes += manifest.bytes.byteLength;
      for (const oldest of entries.values()) {
        if (cachedBytes <= maxBytes) break;
        remove(oldest);
      }
    },
  };
}
