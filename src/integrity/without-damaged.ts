import type { ContentStore } from '../store/content-store.ts';
import type { BlobVerifier } from './blob-verifier.ts';

/** The store as other nodes are to see it: a blob whose file is damaged is not there. */
export function withoutDamaged<S extends Pick<ContentStore, 'stat'>>(
  store: S,
  verifier: Pick<BlobVerifier, 'isDamaged'>,
): S {
  return {
    ...store,
    async stat(digest, options) {
      const blob = await store.stat(digest, options);
      return blob !== undefined && verifier.isDamaged(digest, blob.stamp) ? undefined : blob;
    },
  };
}
