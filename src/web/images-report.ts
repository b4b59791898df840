import type { Tag } from '../store/content-store.ts';

/** Where the metrics listener answers with SharedImages, or with FoundImages if the question has a parameter; see imagesQuery. */
export const IMAGES_PATH = '/debug/images';
/** Where it answers a HoldersQuestion (POST, JSON) with a HoldersReport. */
export const HOLDERS_PATH = '/debug/images/holders';

/** Most tags that one answer has. */
export const MAX_FOUND_TAGS = 200;
/** Tags of an answer when the question does not say how many. */
export const DEFAULT_FOUND_TAGS = 100;
/** Longest text that is searched for, in characters. */
export const MAX_SEARCH_LENGTH = 300;

/** What IMAGES_PATH is asked. */
export interface ImagesQuestion {
  /** A part of the name or of the digest, in any case; empty: all. At most MAX_SEARCH_LENGTH characters. */
  readonly search: string;
  /** Tags that are passed over. */
  readonly offset: number;
  /** Most tags that are wanted; at most MAX_FOUND_TAGS. */
  readonly limit: number;
}

/** The tags of this node that a search has found. */
export interface FoundImages {
  /** By name, from `offset` on. `key`: the routing key of the tag. */
  readonly tags: ReadonlyArray<Tag & { readonly key: string }>;
  /** How many match in all. */
  readonly foundCount: number;
  /** How many tags this node announces. */
  readonly tagCount: number;
  readonly offset: number;
}

/** The question as a query. */
export function imagesQuery({ search, offset, limit }: ImagesQuestion): string {
  return new URLSearchParams({ search, offset: String(offset), limit: String(limit) }).toString();
}

/** Most keys of one question. */
export const MAX_HOLDER_KEYS = 50;
/** A lookup yields no more peers than that: so many means so many or more. */
export const HOLDERS_LIMIT = 100;

/** How many nodes have these? */
export interface HoldersQuestion {
  /** Routing keys: digests, or `registry/repository:tag`. At most MAX_HOLDER_KEYS. */
  readonly keys: readonly string[];
}

/** How many nodes have each key. 429 with Retry-After: this node is answering another such question. */
export interface HoldersReport {
  readonly holders: readonly KeyHolders[];
}

/** How many nodes have one key. */
export interface KeyHolders {
  readonly key: string;
  /** Other nodes that have a record of it, at most HOLDERS_LIMIT. What was found a moment ago counts. */
  readonly peers: number;
  /** True if this node has it. */
  readonly isHere: boolean;
}
