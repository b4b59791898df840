import type { Blob, ContentStore } from '../store/content-store.ts';
import type { BlobVerifier } from './blob-verifier.ts';

/** The store as other nodes are to see it: a blob whose file is damaged is not there. */
export function withoutDamaged<S extends Pick<ContentStore, 'stat'>>(
  store: S,
  verifier: Pick<BlobVerifier, 'isDamaged'>,
): S {
  return {
    ...store,
    stat(digest, options) {
      const unlessDamaged = (blob: Blob | undefined) =>
        blob !== undefined && verifier.isDamaged(digest, blob.stamp) ? undefined : blob;
      const blob = store.stat(digest, options);
      return blob instanceof Promise ? blob.then(unlessDamaged) : unlessDamaged(blob);
    },
  };
}
