import { type BlobHandlerDeps, createBlobHandler } from './blob-handler.ts';
import { createLocalLookups, type LocalLookupsDeps } from './local-lookups.ts';
import { createManifestHandler, type ManifestHandlerDeps } from './manifest-handler.ts';

/** What the content handlers need. */
export type ContentDeps = LocalLookupsDeps & Omit<ManifestHandlerDeps & BlobHandlerDeps, 'lookups'>;

/** Answers manifests and blobs from the store, else from peers. Throws DistributionError. */
export function createContentHandlers(deps: ContentDeps) {
  const lookups = createLocalLookups(deps);
  return {
    manifest: createManifestHandler({ ...deps, lookups }),
    blob: createBlobHandler({ ...deps, lookups }),
  };
}
