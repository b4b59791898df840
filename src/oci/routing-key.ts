import { type Digest, isDigest } from './digest.ts';
import { InvalidReferenceError, parseReference, tagKey } from './reference.ts';

/** What a routing key stands for: a digest, or the tag of a repository at its registry. */
export type RoutedContent =
  | { readonly digest: Digest }
  | { readonly registry: string; readonly repository: string; readonly tag: string };

/**
 * The key by which nodes tell each other what they have (the contract with Spegel: its UTF-8 bytes are hashed): the digest,
 * or `registry/repository:tag`.
 */
export function routingKey(content: RoutedContent): string {
  return 'digest' in content ? content.digest : tagKey(content.registry, content.repository, content.tag);
}

/** What the routing key stands for; undefined if the text is not a routing key. */
export function parseRoutingKey(key: string): RoutedContent | undefined {
  if (isDigest(key)) return { digest: key };
  try {
    const { registry, repository, tag, digest } = parseReference(key);
    return tag === undefined || digest !== undefined ? undefined : { registry, repository, tag };
  } catch (error) {
    if (error instanceof InvalidReferenceError) return undefined;
    throw error;
  }
}
