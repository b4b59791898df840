import type { BlobVerifier } from '../integrity/blob-verifier.ts';
import type { Logger } from '../observe/log.ts';
import { type Digest, matchesDigest } from '../oci/digest.ts';
import { MAX_MANIFEST_BYTES } from '../oci/media-type.ts';
import { abortable } from '../runtime/abortable.ts';
import { lruSet } from '../runtime/lru-set.ts';
import { type ContentStore, signalToWait, type StoreCallOptions } from '../store/content-store.ts';
import { type FetchedManifest, manifestMediaType } from '../transfer/fetch-manifest.ts';
import type { ManifestCache } from './manifest-cache.ts';

/** Digests that are remembered for being no manifests: the layers of some hundred images. */
const MAX_OTHERS = 5000;

/** What createLocalManifests needs. */
export interface LocalManifestsDeps {
  readonly store: Pick<ContentStore, 'stat' | 'read'>;
  readonly cache: ManifestCache;
  /** Told of what is found to be wrong. */
  readonly verifier: Pick<BlobVerifier, 'doubt'>;
  readonly logger: Logger;
}

/** The manifests that this node has on disk. */
export interface LocalManifests {
  /** True for content that was read here and is no manifest, wherever it is: a layer, a config. */
  isOther(digest: Digest): boolean;
  /**
   * How large it is, in bytes; undefined for what is not here, is larger than a manifest may be, or is known to be
   * something else (a layer, a config).
   */
  stat(digest: Digest, options: StoreCallOptions): Promise<number | undefined>;
  /**
   * The manifest, checked against its digest; undefined for what is not here or is something else. However many ask, a
   * digest is read once at a time.
   */
  read(digest: Digest, options: StoreCallOptions): Promise<FetchedManifest | undefined>;
}

/** Reads manifests from the store, and keeps the last in the cache. */
export function createLocalManifests({ store, cache, verifier, logger }: LocalManifestsDeps): LocalManifests {
  const others = new Map<Digest, true>();
  const reading = new Map<Digest, Promise<FetchedManifest | undefined>>();

  const load = async (digest: Digest): Promise<FetchedManifest | undefined> => {
    const bytes = await store.read(digest, MAX_MANIFEST_BYTES);
    if (bytes === undefined) return undefined;
    if (!matchesDigest(bytes, digest)) {
      logger.error('manifest in the store does not have its digest; it is not served', { digest });
      const blob = await store.stat(digest);
      if (blob !== undefined) verifier.doubt(blob);
      free(bytes);
      return undefined;
    }
    if (!mayBeJson(bytes)) {
      lruSet(others, digest, true, MAX_OTHERS);
      free(bytes);
      return undefined;
    }
    const mediaType = manifestMediaType(bytes, undefined);
    if (mediaType === undefined) {
      lruSet(others, digest, true, MAX_OTHERS);
      return undefined;
    }
    const manifest = { digest, bytes, mediaType, origin: 'local' };
    cache.put(manifest);
    return manifest;
  };

  return {
    isOther: (digest) => others.has(digest),
    async stat(digest, options) {
      if (others.has(digest)) return undefined;
      const blob = await store.stat(digest, options);
      return blob === undefined || blob.sizeBytes > MAX_MANIFEST_BYTES ? undefined : blob.sizeBytes;
    },
    async read(digest, options) {
      const kept = cache.get(digest);
      if (kept !== undefined) return { ...kept, origin: 'local' };
      let read = reading.get(digest);
      if (read === undefined) {
        read = load(digest).finally(() => reading.delete(digest));
        reading.set(digest, read);
      }
      return abortable(read, signalToWait(options));
    },
  };
}

/** Space, tab, line feed, carriage return, and the byte order mark. */
const BEFORE_JSON = new Set([0x20, 0x09, 0x0a, 0x0d, 0xef, 0xbb, 0xbf]);
const OPENING_BRACE = 0x7b;

/** False for what no manifest starts with: layers are archives, packed or not. */
function mayBeJson(bytes: Uint8Array): boolean {
  return bytes.find((byte) => !BEFORE_JSON.has(byte)) === OPENING_BRACE;
}

/** Frees what is all of its buffer now: garbage of a few MiB a request adds up before it is collected. */
function free({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength - byteLength <= 1) buffer.transfer(0);
}
