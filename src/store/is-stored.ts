import type { Digest } from '../oci/digest.ts';
import type { ContentStore, StoreCallOptions } from './content-store.ts';

/** Whether the store has the blob; false, too, while that cannot be told. */
export async function isStored(
  store: Pick<ContentStore, 'stat'>,
  digest: Digest,
  options?: StoreCallOptions,
): Promise<boolean> {
  try {
    return (await store.stat(digest, options)) !== undefined;
  } catch {
    return false;
  }
}
