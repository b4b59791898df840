import type { Digest } from '../oci/digest.ts';
import type { Clock } from '../runtime/clock.ts';
import { lruSet } from '../runtime/lru-set.ts';
import type { ContentStore } from './content-store.ts';
import type { ImageFilter, ImageName } from './image-filter.ts';

/** What this node shares: announces, resolves and serves. */
export interface SharingPolicy {
  /** True if images of this name are shared. */
  sharesName(name: ImageName): boolean;
  /**
   * True if the content is shared: an image that leads to it is. Until an image does (a pull in progress), what counts
   * is where this node's own clients asked for it; content that nobody can place is not shared while there are rules.
   */
  sharesDigest(digest: Digest): boolean;
  /** Notes a request of this node's own clients, which tells where content comes from before its image is complete. */
  noteRequest(name: ImageName, digest: Digest | undefined): void;
}

/** The rules; without any, everything is shared. */
export interface SharingRules {
  /** Registries that are shared (`host[:port]`); undefined: all. */
  readonly registries: ReadonlySet<string> | undefined;
  /** Images that a filter matches are not shared. */
  readonly filters: readonly ImageFilter[];
}

/** What createSharingPolicy needs. */
export interface SharingPolicyDeps {
  readonly store: Pick<ContentStore, 'references'>;
  readonly clock: Clock;
}

/** A pull is over, or its image known, long before; in ms. */
const NOTE_LIFETIME_MS = 60 * 60 * 1000;
/** Notes that are kept: the blobs of a hundred pulls at once. The oldest go first: what is forgotten is not shared. */
const MAX_NOTES = 2000;

/** Values per note: with the number of notes and the length of names this keeps all of it below a few MiB. */
const MAX_VALUES = 8;

/** Shares everything. */
const SHARE_ALL: SharingPolicy = { sharesName: () => true, sharesDigest: () => true, noteRequest: () => {} };

/** Creates the policy of the rules. */
export function createSharingPolicy(deps: SharingPolicyDeps, rules: SharingRules): SharingPolicy {
  const { store, clock } = deps;
  const { registries, filters } = rules;
  if (registries === undefined && filters.length === 0) return SHARE_ALL;
  const sourcesByDigest = createNotes<Digest>(clock);
  const tagsByRepository = createNotes<string>(clock);

  const sharesName = (name: ImageName) =>
    (registries === undefined || registries.has(name.registry)) && !filters.some((matches) => matches(name));

  /** A blob request names no tag: it may belong to any tag that was asked for in its repository lately. */
  const sharesSource = (source: string) => {
    const slash = source.indexOf('/');
    const [registry, repository] = [source.slice(0, slash), source.slice(slash + 1)];
    const tags = tagsByRepository.get(source);
    if (tags === 'too-many') return false;
    return [undefined, ...(tags ?? [])].every((tag) => sharesName({ registry, repository, tag }));
  };

  return {
    sharesName,
    sharesDigest(digest) {
      const references = store.references(digest);
      if (references.length > 0) return withoutTwins(references).some(sharesName);
      const sources = sourcesByDigest.get(digest);
      return sources !== undefined && sources !== 'too-many' && [...sources].every(sharesSource);
    },
    noteRequest({ registry, repository, tag }, digest) {
      const source = `${registry}/${repository}`;
      if (digest !== undefined) sourcesByDigest.add(digest, source);
      else if (tag !== undefined) tagsByRepository.add(source, tag);
    },
  };
}

/**
 * The names without those that only repeat another one without its tag. The CRI gives every image that it pulls by tag
 * a second name, `repository@sha256:…`, and a filter of tags cannot match that one.
 */
function withoutTwins(names: readonly ImageName[]): readonly ImageName[] {
  const source = ({ registry, repository }: ImageName) => `${registry}/${repository}`;
  const tagged = new Set(names.filter(({ tag }) => tag !== undefined).map(source));
  return names.filter((name) => name.tag !== undefined || !tagged.has(source(name)));
}

/** Sets of strings by key that fade, bounded in number. */
function createNotes<K>(clock: Clock) {
  const notes = new Map<K, { readonly values: Set<string>; readonly untilMs: number }>();
  const live = (key: K) => {
    const note = notes.get(key);
    return note !== undefined && clock.nowMs() < note.untilMs ? note.values : undefined;
  };
  return {
    get(key: K): ReadonlySet<string> | 'too-many' | undefined {
      const values = live(key);
      return values !== undefined && values.size > MAX_VALUES ? 'too-many' : values;
    },
    add(key: K, value: string): void {
      const values = live(key) ?? new Set();
      if (values.size <= MAX_VALUES) values.add(value);
      lruSet(notes, key, { values, untilMs: clock.nowMs() + NOTE_LIFETIME_MS }, MAX_NOTES);
    },
  };
}
