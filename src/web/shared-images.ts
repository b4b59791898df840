import type { AdvertisedCounts } from '../observe/metrics.ts';
import { routingKey } from '../oci/routing-key.ts';
import type { Tag } from '../store/content-store.ts';

/** What this node announces to the others, for GET /debug/images and the debug page. */
export interface SharedImages {
  /** By name; the empty one is for content that no image names. */
  readonly registries: ReadonlyArray<{
    readonly registry: string;
    readonly tags: number;
    /** Digests that a tag names. */
    readonly imageDigests: number;
    /** All digests. */
    readonly contentDigests: number;
  }>;
  /** By name, at most 1,000. */
  readonly tags: readonly Tag[];
  /** How many there are in all. */
  readonly tagCount: number;
}

/** A node has tens of images, at most some hundreds; an answer stays below a few 100 KB. */
const MAX_TAGS = 1000;

/** Sorts and counts what is announced. */
export function listSharedImages(counts: AdvertisedCounts, tags: readonly Tag[]): SharedImages {
  const { imageTags, imageDigests, contentDigests } = counts;
  const names = new Set([...imageTags.keys(), ...imageDigests.keys(), ...contentDigests.keys()]);
  return {
    registries: [...names].sort().map((registry) => ({
      registry,
      tags: imageTags.get(registry) ?? 0,
      imageDigests: imageDigests.get(registry) ?? 0,
      contentDigests: contentDigests.get(registry) ?? 0,
    })),
    tags: tags.toSorted((a, b) => compare(nameOf(a), nameOf(b))).slice(0, MAX_TAGS),
    tagCount: tags.length,
  };
}

function nameOf({ registry, repository, tag }: Tag): string {
  return routingKey({ registry, repository, tag });
}

/** By code unit, whatever the machine's language. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
