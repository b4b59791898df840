import type { Digest } from '../oci/digest.ts';
import type { Descriptor } from '../oci/manifest.ts';
import { isConfigType } from '../oci/media-type.ts';
import { lruSet } from '../runtime/lru-set.ts';
import { CONFIG_BYTES, KNOWN_SIZES_BYTES, SIZES_PER_DIGEST, SMALL_BLOB_BYTES } from './budgets.ts';

/** What an entry costs, in bytes: the digest's text, the list, and their place in the map. */
const ENTRY_BYTES = 256;
/** Descriptors of one manifest that are remembered: an image has ten layers, seldom fifty. */
const MAX_REFERENCES = 128;

/**
 * How large content is, by the manifests that this node's clients were given lately. A manifest is only as good as its tag,
 * and another one can say another size of the same digest: then both may be true, and whoever says either is believed.
 */
export interface KnownSizes {
  /** The sizes that were said of the digest, in bytes; undefined if none was, or too many. */
  sizesOf(digest: Digest): readonly number[] | undefined;
  /** Most bytes of a blob of this digest to get whole, and verify, before the first of them goes on. */
  wholeBytes(digest: Digest): number;
  /** Learns what a manifest says of its config and layers. */
  learn(references: readonly Descriptor[]): void;
  /** No peer has what was said: it was wrong, or none of them has the content. */
  forget(digest: Digest): void;
}

/** Knows nothing yet, and never more than 1 MiB. */
export function createKnownSizes(): KnownSizes {
  const known = new Map<Digest, { readonly sizes: readonly number[]; readonly isConfig: boolean }>();
  return {
    sizesOf(digest) {
      const sizes = known.get(digest)?.sizes;
      return sizes === undefined || sizes.length > SIZES_PER_DIGEST ? undefined : sizes;
    },
    wholeBytes: (digest) => (known.get(digest)?.isConfig === true ? CONFIG_BYTES : SMALL_BLOB_BYTES),
    learn(references) {
      for (const { digest, sizeBytes, mediaType } of references.slice(0, MAX_REFERENCES)) {
        // No size was said, or none that can be.
        if (sizeBytes === 0) continue;
        const { sizes = [], isConfig = false } = known.get(digest) ?? {};
        // One more than counts is kept, to know that there were too many.
        const all = sizes.includes(sizeBytes) ? sizes : [...sizes, sizeBytes].slice(0, SIZES_PER_DIGEST + 1);
        const entry = { sizes: all, isConfig: isConfig || isConfigType(mediaType) };
        lruSet(known, digest, entry, KNOWN_SIZES_BYTES / ENTRY_BYTES);
      }
    },
    forget: (digest) => void known.delete(digest),
  };
}
