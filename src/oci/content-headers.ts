import type { Digest } from './digest.ts';
import { MEDIA_TYPE } from './media-type.ts';

/** What the headers of an answer with content say. */
export interface ContentFacts {
  readonly digest: Digest;
  /** The registry that the client asked for, as `ns` names it. */
  readonly registry: string | undefined;
  /** Where the bytes come from: `local`, or the peer's address. */
  readonly origin: string;
}

/** The header that names the registry, if that is known. */
export function namespaceHeader(registry: string | undefined): Record<string, string> {
  return registry === undefined ? {} : { 'oci-namespace': registry };
}

/** Headers of an answer with a manifest, but for its length. */
export function manifestHeaders({
  mediaType,
  digest,
  registry,
  origin,
}: ContentFacts & { readonly mediaType: string }): Record<string, string> {
  return {
    'content-type': mediaType,
    'docker-content-digest': digest,
    ...namespaceHeader(registry),
    'x-spegel-source': origin,
  };
}

/** Headers that every answer about a blob has, HEAD included, but for its length and its range. */
export function blobHeaders({ digest, registry, origin }: ContentFacts): Record<string, string> {
  return {
    'content-type': MEDIA_TYPE.octetStream,
    'docker-content-digest': digest,
    'accept-ranges': 'bytes',
    ...namespaceHeader(registry),
    'x-spegel-source': origin,
  };
}
