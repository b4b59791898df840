import type { BodyMover, ClientResponse } from '../http/body-mover.ts';
import type { Digest } from '../oci/digest.ts';
import {
  type FetchedManifest,
  fetchManifest,
  type ManifestRequest,
  type NotFetched,
  statBlobAtPeers,
} from './fetch-manifest.ts';
import { createPeerHealth } from './peer-health.ts';
import type { PeerSessionDeps } from './peer-session.ts';
import type { BlobRequest, TransferOptions } from './blob-sources.ts';
import { type BlobOutcome, serveBlob } from './serve-blob.ts';

/** The engine: decides which peer serves what, when to give up on one, and how to go on. */
export interface Transfer {
  /** Serves a blob to the client, from the store or from peers; never rejects for what a peer does. */
  serveBlob(request: BlobRequest, client: ClientResponse): Promise<BlobOutcome>;
  /** Gets a manifest from peers, verified. */
  fetchManifest(request: ManifestRequest, signal: AbortSignal): Promise<FetchedManifest | NotFetched>;
  /** Asks peers for a blob's size. */
  statBlob(
    request: { readonly digest: Digest; readonly repository: string; readonly registry: string | undefined },
    signal: AbortSignal,
  ): Promise<{ readonly sizeBytes: number; readonly origin: string } | NotFetched>;
}

/** What the engine needs: contracts and a clock. */
export type TransferDeps = Omit<PeerSessionDeps, 'health'> & {
  readonly mover: Pick<BodyMover, 'openFile' | 'request' | 'requestSmall'>;
};

/** Creates the engine; it owns no resources. */
export function createTransfer(deps: TransferDeps, options: TransferOptions): Transfer {
  const shared = { ...deps, health: createPeerHealth(deps.clock) };
  return {
    serveBlob: (request, client) => serveBlob(shared, options, request, client),
    fetchManifest: (request, signal) => fetchManifest(shared, options, request, signal),
    statBlob: (request, signal) => statBlobAtPeers(shared, options, request, signal),
  };
}
