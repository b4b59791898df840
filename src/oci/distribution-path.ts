import { type Digest, isDigest } from './digest.ts';
import { DistributionError } from './distribution-error.ts';
import { isRegistry, isRepository, isTag, tagKey } from './reference.ts';

/** What a pull request below /v2/ asks for (OCI distribution spec v1.1, "Pull"). */
export type DistributionPath =
  | {
      readonly kind: 'manifest';
      readonly repository: string;
      readonly registry: string;
      readonly tag: string;
    }
  | {
      readonly kind: 'manifest' | 'blob';
      readonly repository: string;
      /** The registry that `ns` names; absent where the client did not send it, which a digest does not need. */
      readonly registry: string | undefined;
      readonly digest: Digest;
    };

/**
 * Parses the path (percent-encoding not decoded: names need none) and the query's `ns` of a pull request.
 * Throws DistributionError: 404 for a path that is no pull endpoint, 400 for one with an invalid part.
 */
export function parseDistributionPath(pathname: string, ns: string | undefined): DistributionPath {
  const match = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(pathname);
  if (match === null) {
    throw new DistributionError(404, 'UNSUPPORTED', `No such endpoint: ${pathname.slice(0, 300)}`);
  }
  const [, repository = '', collection, reference = ''] = match;
  const registry = ns === '' ? undefined : ns;
  if (!isRepository(repository)) {
    throw new DistributionError(
      400,
      'NAME_INVALID',
      `Invalid repository name ${JSON.stringify(repository.slice(0, 300))}`,
    );
  }
  if (registry !== undefined && !isRegistry(registry)) {
    throw new DistributionError(
      400,
      'NAME_INVALID',
      `Invalid registry in ns ${JSON.stringify(registry.slice(0, 300))}`,
    );
  }
  if (isDigest(reference)) {
    return { kind: collection === 'blobs' ? 'blob' : 'manifest', repository, registry, digest: reference };
  }
  if (collection === 'blobs' || reference.includes(':')) {
    throw new DistributionError(
      400,
      'DIGEST_INVALID',
      `Invalid digest ${JSON.stringify(reference.slice(0, 300))}`,
    );
  }
  if (!isTag(reference)) {
    throw new DistributionError(
      400,
      'NAME_INVALID',
      `Invalid tag ${JSON.stringify(reference.slice(0, 300))}`,
    );
  }
  if (registry === undefined) {
    throw new DistributionError(
      404,
      'NAME_UNKNOWN',
      'A tag needs its registry: add ?ns=<registry> to the request, as containerd does',
    );
  }
  return { kind: 'manifest', repository, registry, tag: reference };
}

/** The routing key: the digest, or `registry/repository:tag`. */
export function routingKey(path: DistributionPath): string {
  return 'digest' in path ? path.digest : tagKey(path.registry, path.repository, path.tag);
}
