import type { Logger } from '../observe/log.ts';
import type { Digest } from '../oci/digest.ts';
import { type Manifest, parseManifest } from '../oci/manifest.ts';
import { isManifestType } from '../oci/media-type.ts';
import { parseReference, type Reference } from '../oci/reference.ts';
import type { ImageRecord } from './containerd-client.ts';
import type { KnownImage } from '../store/store-state.ts';

/** Index -> index -> manifest -> config is the deepest that is in use; the limit only has to end. */
export const MAX_IMAGE_DEPTH = 8;
/** Digests taken from one image. The largest real ones have some hundred. */
export const MAX_IMAGE_DIGESTS = 10_000;

/** Reads a blob if it is here and small enough to be a manifest. */
export type ReadManifest = (digest: Digest) => Promise<Uint8Array | undefined>;

/** Follows images from their names to everything that they consist of. */
export interface ImageWalker {
  /** Never fails because of what an image holds: what cannot be read or understood leads nowhere. */
  walk(image: ImageRecord, read: ReadManifest): Promise<KnownImage>;
  /** Forgets manifests and names that are not in use any more. */
  keepOnly(digests: ReadonlySet<Digest>, names: ReadonlySet<string>): void;
}

/** What a blob leads to: `descend` is set where the reference is a manifest itself. */
interface Link {
  readonly digest: Digest;
  readonly descend: boolean;
}

/** A walker that reads each manifest once, because a digest always means the same bytes. */
export function createImageWalker(logger: Logger): ImageWalker {
  const linksOf = new Map<Digest, readonly Link[]>();
  const references = new Map<string, Reference | undefined>();

  function referenceOf(name: string): Reference | undefined {
    if (!references.has(name)) {
      try {
        references.set(name, parseReference(name));
      } catch (error) {
        references.set(name, undefined);
        // CRI holds every image under the digest of its configuration too.
        if (!name.startsWith('sha256:')) logger.debug('image name is not servable', { name, error });
      }
    }
    return references.get(name);
  }

  async function follow(digest: Digest, read: ReadManifest): Promise<readonly Link[]> {
    const known = linksOf.get(digest);
    if (known !== undefined) return known;
    const bytes = await read(digest);
    // Absent now, but perhaps not the next time.
    if (bytes === undefined) return [];
    let links: readonly Link[] = [];
    try {
      links = toLinks(parseManifest(bytes));
    } catch (error) {
      logger.debug('manifest is not understood', { digest, error });
    }
    linksOf.set(digest, links);
    return links;
  }

  return {
    async walk({ name, target }, read) {
      const seen = new Set<Digest>([target]);
      let level: readonly Digest[] = [target];
      for (let depth = 0; depth < MAX_IMAGE_DEPTH && level.length > 0; depth++) {
        const next: Digest[] = [];
        for (const digest of level) {
          for (const link of await follow(digest, read)) {
            if (seen.has(link.digest) || seen.size >= MAX_IMAGE_DIGESTS) continue;
            seen.add(link.digest);
            if (link.descend) next.push(link.digest);
          }
        }
        level = next;
      }
      const reference = referenceOf(name);
      return { name, target, digests: [...seen], ...(reference === undefined ? {} : { reference }) };
    },
    keepOnly(digests, names) {
      for (const digest of linksOf.keys()) if (!digests.has(digest)) linksOf.delete(digest);
      for (const name of references.keys()) if (!names.has(name)) references.delete(name);
    },
  };
}

/** Everything in an index is a manifest, whatever its type says; in a manifest only what says so. */
function toLinks(manifest: Manifest): readonly Link[] {
  return manifest.references.slice(0, MAX_IMAGE_DIGESTS).map(({ digest, mediaType }) => ({
    digest,
    descend: manifest.kind === 'index' || isManifestType(mediaType),
  }));
}
