import type { Digest } from '../oci/digest.ts';
import type { Clock } from '../runtime/clock.ts';
import type { FetchedManifest } from '../transfer/fetch-manifest.ts';

/**
 * Manifests that came from peers or were read a moment ago, by digest, least recently used out first. containerd asks
 * HEAD by tag, then GET by digest: the second is answered with what the first has fetched, so a tag that
 * was answered has a manifest. Each is kept for KEPT_MS from when it came, however often it is asked for: the bytes were
 * verified and stay right, but a manifest whose last holder has deleted it must not outlive its layers.
 */
export interface ManifestCache {
  get(digest: Digest): FetchedManifest | undefined;
  put(manifest: FetchedManifest): void;
}

/** As long as what a lookup found is kept (KEEP_FOUND_MS): who had the manifest then may have deleted it since. */
const KEPT_MS = 5000;

interface Kept {
  readonly manifest: FetchedManifest;
  readonly untilMs: number;
}

/** Creates a cache of at most so many bytes. */
export function createManifestCache(
  { nowMs }: Pick<Clock, 'nowMs'>,
  { maxBytes }: { readonly maxBytes: number },
): ManifestCache {
  const entries = new Map<Digest, Kept>();
  let cachedBytes = 0;
  const remove = (manifest: FetchedManifest) => {
    if (entries.delete(manifest.digest)) cachedBytes -= manifest.bytes.byteLength;
  };
  return {
    get(digest) {
      const kept = entries.get(digest);
      if (kept === undefined) return undefined;
      if (nowMs() >= kept.untilMs) {
        remove(kept.manifest);
        return undefined;
      }
      entries.delete(digest);
      entries.set(digest, kept);
      return kept.manifest;
    },
    put(manifest) {
      const now = nowMs();
      const before = entries.get(manifest.digest);
      if (before !== undefined) remove(before.manifest);
      entries.set(manifest.digest, { manifest, untilMs: now + KEPT_MS });
      cachedBytes += manifest.bytes.byteLength;
      for (const { manifest: old, untilMs } of entries.values()) if (now >= untilMs) remove(old);
      for (const { manifest: oldest } of entries.values()) {
        if (cachedBytes <= maxBytes) break;
        remove(oldest);
      }
    },
  };
}
