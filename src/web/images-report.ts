import type { SharedImages } from './shared-images.ts';

/** Where the metrics listener answers with SharedImages, or with FoundImages if the question has `search`, `offset` or `limit`. */
export const IMAGES_PATH = '/debug/images';
/** Where it answers a HoldersQuestion (POST, JSON) with a HoldersReport. */
export const HOLDERS_PATH = '/debug/images/holders';

/** Most tags that one answer has. */
export const MAX_FOUND_TAGS = 200;
/** Most keys of one question. */
export const MAX_HOLDER_KEYS = 50;

/** The tags of this node that a search has found. */
export interface FoundImages extends Pick<SharedImages, 'registries' | 'tagCount'> {
  /** By name, from `offset` on, at most `limit` (default 100, at most MAX_FOUND_TAGS). `key`: the routing key of the tag. */
  readonly tags: ReadonlyArray<SharedImages['tags'][number] & { readonly key: string }>;
  /** How many match in all. */
  readonly foundCount: number;
  readonly offset: number;
}

/** How many nodes have these? */
export interface HoldersQuestion {
  /** Routing keys: digests, or `registry/repository:tag`. At most MAX_HOLDER_KEYS. */
  readonly keys: readonly string[];
}

/** How many nodes have each key. 429 with Retry-After: this node is answering another such question. */
export interface HoldersReport {
  readonly holders: ReadonlyArray<{
    readonly key: string;
    /** Other nodes that have a record of it; at most HOLDERS_LIMIT. */
    readonly peers: number;
    /** True if this node has it. */
    readonly isHere: boolean;
  }>;
}

/** A lookup yields no more peers than that: so many means so many or more. */
export const HOLDERS_LIMIT = 100;
