import { parseRoutingKey } from '../oci/routing-key.ts';
import type { ContentStore } from '../store/content-store.ts';

/** True if the store has the content of the routing key. Rejects with StoreUnavailableError. */
export async function hasContent(
  store: Pick<ContentStore, 'resolve' | 'stat'>,
  key: string,
): Promise<boolean> {
  const content = parseRoutingKey(key);
  if (content === undefined) return false;
  if ('digest' in content) return (await store.stat(content.digest)) !== undefined;
  const { registry, repository, tag } = content;
  return (await store.resolve(registry, repository, tag)) !== undefined;
}
