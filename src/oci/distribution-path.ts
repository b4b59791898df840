import type { Digest } from './digest.ts';
import { recentDigest } from './recent-digests.ts';
import { DistributionError } from './distribution-error.ts';
import { isRegistry, isRegistryHost, isRepository, isTag } from './reference.ts';

/** What a pull request below /v2/ asks for (OCI distribution spec v1.1, "Pull"). */
export type DistributionPath = {
  readonly repository: string;
  /** The registry that `ns` names, or the path's first component if that is a host; undefined where neither is. */
  readonly registry: string | undefined;
} & ({ readonly kind: 'manifest'; readonly tag: string } | DigestPath);

/** The part of a path that names a digest. */
interface DigestPath {
  readonly kind: 'manifest' | 'blob';
  readonly digest: Digest;
}

/** A path that needs no guess: it names a digest, or a tag with its registry. */
export type RoutablePath = DistributionPath & (DigestPath | { readonly registry: string });

/**
 * Parses the path (not decoded here: names need no percent-encoding, and the listener has decoded what came) and the query's `ns` of a pull request.
 * Without `ns`, a first component that is a host is the registry (`/v2/registry.example/lab/a/manifests/v1`).
 * Throws DistributionError: 404 for a path that is no pull endpoint or a tag that cannot be, 400 for another invalid part.
 */
export function parseDistributionPath(pathname: string, ns: string | undefined): DistributionPath {
  const match = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(pathname);
  if (match === null) {
    throw new DistributionError(404, 'UNSUPPORTED', `No such endpoint: ${pathname.slice(0, 300)}`);
  }
  const [, path = '', collection, reference = ''] = match;
  const { registry, repository } =
    ns === undefined || ns === '' ? splitHost(path) : { registry: ns, repository: path };
  if (!isRepository(repository)) throw invalid('NAME_INVALID', 'repository name', repository);
  if (registry !== undefined && !isRegistry(registry)) {
    throw invalid('NAME_INVALID', 'registry in ns', registry);
  }
  const digest = recentDigest(reference);
  if (digest !== undefined) {
    return { kind: collection === 'blobs' ? 'blob' : 'manifest', repository, registry, digest };
  }
  if (collection === 'blobs' || reference.includes(':')) throw invalid('DIGEST_INVALID', 'digest', reference);
  if (!isTag(reference)) {
    // Not 400: the conformance suite asks for such a name as one that does not exist.
    const text = `No manifest can have the tag ${JSON.stringify(reference.slice(0, 300))}`;
    throw new DistributionError(404, 'MANIFEST_UNKNOWN', text);
  }
  return { kind: 'manifest', repository, registry, tag: reference };
}

function splitHost(path: string): { readonly registry: string | undefined; readonly repository: string } {
  const slash = path.indexOf('/');
  const host = path.slice(0, Math.max(0, slash));
  return isRegistryHost(host)
    ? { registry: host, repository: path.slice(slash + 1) }
    : { registry: undefined, repository: path };
}

function invalid(code: 'NAME_INVALID' | 'DIGEST_INVALID', what: string, value: string): DistributionError {
  return new DistributionError(400, code, `Invalid ${what} ${JSON.stringify(value.slice(0, 300))}`);
}
