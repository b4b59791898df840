import type { Digest } from '../oci/digest.ts';
import type { ContentStore } from '../store/content-store.ts';
import type { SharingPolicy } from '../store/sharing-policy.ts';
import { isCanaryRepository } from './canary-name.ts';

/** What hideCanaries() needs. */
export interface HideCanariesDeps {
  readonly store: Pick<ContentStore, 'references'>;
  /** True for content of a canary of this process: containerd has it some moments before an image names it. */
  readonly isCanaryContent: (digest: Digest) => boolean;
}

/** The policy without canaries: neither their names nor their content are announced, resolved or served. */
export function hideCanaries(
  policy: SharingPolicy,
  { store, isCanaryContent }: HideCanariesDeps,
): SharingPolicy {
  /** True for content that a canary of an earlier process has left behind. */
  const isLeftBehind = (digest: Digest): boolean => {
    const references = store.references(digest);
    return references.length > 0 && references.every(({ repository }) => isCanaryRepository(repository));
  };
  return {
    sharesName: (name) => !isCanaryRepository(name.repository) && policy.sharesName(name),
    sharesDigest: (digest) =>
      !isCanaryContent(digest) && !isLeftBehind(digest) && policy.sharesDigest(digest),
    noteRequest: (name, digest) => policy.noteRequest(name, digest),
  };
}
