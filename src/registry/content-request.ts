import type { PlainAnswer } from '../http/http-server.ts';
import type { ClientResponse } from '../http/transport.ts';
import type { Digest } from '../oci/digest.ts';
import type { DistributionPath, RoutablePath } from '../oci/distribution-path.ts';
import type { AskedPull } from './pull-tracker.ts';

/** An answer that only tells its status: of a body that was moved. */
export function statusOnly(status: number): PlainAnswer {
  return { status, headers: {}, body: undefined };
}

/** Status in the metrics for a client that left before the head was sent (as nginx counts it). */
export const CLIENT_GONE_STATUS = 499;

/** Told how a request that went to peers ended; the registry is empty where the request names none. */
export type Mirrored = (registry: string, cache: 'hit' | 'miss') => void;

/** One pull request. */
export interface ContentRequest {
  readonly method: 'GET' | 'HEAD';
  readonly path: DistributionPath;
  readonly rangeHeader: string | undefined;
  /** Another node forwarded it: only this node's store counts. */
  readonly forwarded: boolean;
  /** That node takes what this node is downloading, too. */
  readonly isFlight: boolean;
  /** That node says that the bytes of the blob that this node gave are wrong. */
  readonly isDoubted: boolean;
  readonly client: ClientResponse;
  /** It comes from this node itself or from another node, not from a stranger. */
  readonly favoured: boolean;
  /** It comes from this node itself. */
  readonly isFromSelf: boolean;
  /** The pull of this node's own containerd that it is part of, if it is. */
  readonly pull?: AskedPull | undefined;
}

/** A request whose registry is known as far as it has to be, and whose name is shared. */
export type AdmittedRequest = Omit<ContentRequest, 'path'> & { readonly path: RoutablePath };

/** An admitted request for a blob. */
export type BlobContentRequest = AdmittedRequest & {
  readonly path: RoutablePath & { readonly digest: Digest };
};

/** The answer, and which of the two ways it took (the `handler` label of the HTTP metrics). */
export interface ContentAnswer {
  /** Ignored after `client.begin()`, but for its status in the metrics. */
  readonly response: PlainAnswer;
  readonly handler: 'registry' | 'mirror';
}
