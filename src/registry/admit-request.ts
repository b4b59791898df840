import type { MissReason } from '../observe/transfer-log.ts';
import { DistributionError } from '../oci/distribution-error.ts';
import type { DistributionPath, RoutablePath } from '../oci/distribution-path.ts';
import type { ContentStore } from '../store/content-store.ts';
import type { SharingPolicy } from '../store/sharing-policy.ts';
import type { AdmittedRequest, ContentRequest } from './content-request.ts';

/** What admitRequest needs. */
export interface AdmitDeps {
  readonly store: Pick<ContentStore, 'registriesOf'>;
  readonly policy: Pick<SharingPolicy, 'sharesName' | 'noteRequest'>;
  /** The registries that are mirrored, if they are a list. */
  readonly mirroredRegistries: ReadonlySet<string> | undefined;
}

const FILTERED: MissReason = 'filter';

/**
 * Finds the registry of a request that does not name it, and refuses what is not shared.
 * Throws DistributionError: 404 for what a filter matches, or for a tag whose registry cannot be told.
 */
export function admitRequest(deps: AdmitDeps, request: ContentRequest): AdmittedRequest {
  const path = withRegistry(deps, request.path);
  const { registry, repository, kind } = path;
  if (registry !== undefined) {
    const tag = 'tag' in path ? path.tag : undefined;
    const name = { registry, repository, tag };
    // Other nodes ask for what is here already: only this node's clients tell where something comes from. What is
    // refused is noted, too: it tells that the content that comes next is of an image that is not shared.
    if (!request.forwarded) deps.policy.noteRequest(name, 'digest' in path ? path.digest : undefined);
    if (!deps.policy.sharesName(name)) {
      const code = kind === 'manifest' ? 'MANIFEST_UNKNOWN' : 'BLOB_UNKNOWN';
      const text = `${registry}/${repository}${tag === undefined ? '' : `:${tag}`}`;
      request.pull?.ended({
        kind,
        registry,
        repository,
        tag,
        digest: 'digest' in path ? path.digest : undefined,
        forwarded: false,
        sources: [],
        flight: undefined,
        movedBytes: 0,
        durationMs: 0,
        outcome: 'missing',
        missing: FILTERED,
      });
      const message = `${text} is not shared: a filter of this mirror leaves it out`;
      throw new DistributionError(404, code, message, { reason: FILTERED });
    }
  }
  // What names a digest needs no registry, and is as it was.
  return path === request.path ? (request as AdmittedRequest) : { ...request, path };
}

function withRegistry(
  { store, policy, mirroredRegistries }: AdmitDeps,
  path: DistributionPath,
): RoutablePath {
  const { registry, repository } = path;
  if ('digest' in path) return path;
  if (registry !== undefined) return { ...path, registry };
  const here = new Set(
    store
      .registriesOf(repository, path.tag)
      .filter((name) => policy.sharesName({ registry: name, repository, tag: path.tag })),
  );
  const candidates = here.size > 0 ? here : (mirroredRegistries ?? new Set());
  const [only] = candidates;
  if (only !== undefined && candidates.size === 1) return { ...path, registry: only };
  const found =
    here.size > 1 ? `${[...here].sort().join(', ')} have it` : 'no image of this node has that name';
  throw new DistributionError(
    404,
    'NAME_UNKNOWN',
    `Which registry is ${repository}:${path.tag} of? ${found}. Add ?ns=<registry>, or put the registry first in the path: /v2/<registry>/${repository}/…`,
  );
}
