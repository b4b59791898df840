import type { StoreEvent, StoreSnapshot, Tag } from './content-store.ts';
import type { Digest } from '../oci/digest.ts';
import type { Reference } from '../oci/reference.ts';

/** An image of the namespace, looked through. */
export interface KnownImage {
  readonly name: string;
  readonly target: Digest;
  /** Absent if the name is none that a registry could be asked for. */
  readonly reference?: Reference;
  /** All that the image leads to, on disk or not, the target first. */
  readonly digests: readonly Digest[];
}

/** A change to tell of; resyncs are made by the store. */
export type StoreChange = Exclude<StoreEvent, { kind: 'resync' }>;

/** What the node is known to have. Changes that make a difference are told to onChange. */
export interface StoreState {
  /** Size in bytes of every blob that is known and was on disk. */
  readonly blobs: ReadonlyMap<Digest, number>;
  readonly images: ReadonlyMap<string, KnownImage>;
  addBlob(digest: Digest, sizeBytes: number): void;
  removeBlob(digest: Digest): void;
  setImage(image: KnownImage): void;
  removeImage(name: string): void;
  /** See ContentStore.references. */
  references(digest: Digest): readonly Reference[];
  /** See ContentStore.registriesOf. */
  registriesOf(repository: string, tag: string): readonly string[];
  /** See ContentStore.hasRegistry. */
  hasRegistry(registry: string): boolean;
  /** Starts a listing; one at a time. Blobs that change from now on count as newer than what it finds. */
  startListing(): StateListing;
  snapshot(): StoreSnapshot;
}

/** A listing under way. Dispose it when it has ended, well or not. */
export interface StateListing extends Disposable {
  /** Replaces everything without telling of single changes. Returns true if anything is different. */
  finish(blobs: ReadonlyMap<Digest, number>, images: readonly KnownImage[]): boolean;
}

/** An empty state. */
export function createStoreState(onChange: (change: StoreChange) => void): StoreState {
  let blobs = new Map<Digest, number>();
  let images = new Map<string, KnownImage>();
  /** Names of the images that lead to a digest. */
  let namesByDigest = new Map<Digest, Set<string>>();
  /** Blobs that changed while a listing runs. */
  let touched: Set<Digest> | undefined;

  /** The tag that an image stands for now, if its manifest is here. */
  function tagOf(image: KnownImage | undefined): Tag | undefined {
    if (image?.reference === undefined || !blobs.has(image.target)) return undefined;
    const { registry, repository, tag, digest } = image.reference;
    // name:tag@digest pins the digest. It does not say what the tag means.
    if (tag === undefined || digest !== undefined) return undefined;
    return { registry, repository, tag, digest: image.target };
  }
  function tagsTo(digest: Digest): Tag[] {
    return [...images.values()].flatMap((image) => (image.target === digest ? (tagOf(image) ?? []) : []));
  }

  function index({ name, digests }: KnownImage): void {
    for (const digest of digests) {
      const names = namesByDigest.get(digest);
      if (names === undefined) namesByDigest.set(digest, new Set([name]));
      else names.add(name);
    }
  }
  /** Replaces what is known of an image by name, and tells of all that it led or leads to. */
  function change(name: string, now: KnownImage | undefined): void {
    const before = images.get(name)?.digests ?? [];
    const after = now?.digests ?? [];
    for (const digest of before) {
      const names = namesByDigest.get(digest);
      names?.delete(name);
      if (names?.size === 0) namesByDigest.delete(digest);
    }
    if (now === undefined) images.delete(name);
    else {
      images.set(name, now);
      index(now);
    }
    const digests = [...new Set([...before, ...after])];
    if (before.length === after.length && digests.length === after.length) return;
    onChange({ kind: 'image-changed', name, digests });
  }

  return {
    get blobs() {
      return blobs;
    },
    get images() {
      return images;
    },
    addBlob(digest, sizeBytes) {
      touched?.add(digest);
      if (blobs.has(digest)) return;
      blobs.set(digest, sizeBytes);
      onChange({ kind: 'blob-added', digest });
      for (const tag of tagsTo(digest)) onChange({ kind: 'tag-added', tag });
    },
    removeBlob(digest) {
      touched?.add(digest);
      if (!blobs.has(digest)) return;
      const tags = tagsTo(digest);
      blobs.delete(digest);
      for (const tag of tags) onChange({ kind: 'tag-removed', tag });
      onChange({ kind: 'blob-removed', digest });
    },
    setImage(image) {
      const before = tagOf(images.get(image.name));
      change(image.name, image);
      const now = tagOf(image);
      if (now?.digest === before?.digest) return;
      if (now !== undefined) onChange({ kind: 'tag-added', tag: now });
      else if (before !== undefined) onChange({ kind: 'tag-removed', tag: before });
    },
    removeImage(name) {
      const tag = tagOf(images.get(name));
      change(name, undefined);
      if (tag !== undefined) onChange({ kind: 'tag-removed', tag });
    },
    references(digest) {
      const names = namesByDigest.get(digest) ?? [];
      return [...names].flatMap((name) => images.get(name)?.reference ?? []);
    },
    registriesOf(repository, tag) {
      const tags = [...images.values()].flatMap((image) => tagOf(image) ?? []);
      return tags.flatMap((known) =>
        known.repository === repository && known.tag === tag ? known.registry : [],
      );
    },
    hasRegistry: (registry) => [...images.values()].some(({ reference }) => reference?.registry === registry),
    startListing() {
      const newer = new Set<Digest>();
      touched = newer;
      return {
        finish(listed, listedImages) {
          const next = new Map(listed);
          for (const digest of newer) {
            const size = blobs.get(digest);
            if (size === undefined) next.delete(digest);
            else next.set(digest, size);
          }
          const nextImages = new Map(listedImages.map((image) => [image.name, image]));
          const changed =
            next.size !== blobs.size ||
            nextImages.size !== images.size ||
            [...next.keys()].some((digest) => !blobs.has(digest)) ||
            [...nextImages].some(([name, { target }]) => images.get(name)?.target !== target);
          blobs = next;
          images = nextImages;
          namesByDigest = new Map();
          for (const image of images.values()) index(image);
          return changed;
        },
        [Symbol.dispose]() {
          touched = undefined;
        },
      };
    },
    snapshot() {
      const tags = [...images.values()].flatMap((image) => tagOf(image) ?? []);
      return { tags, blobs: new Set(blobs.keys()) };
    },
  };
}
