import type { TransportClient } from '../http/transport.ts';
import type { Digest } from '../oci/digest.ts';
import type { TransferOptions } from './blob-sources-contract.ts';
import { CONNECT_TIMEOUT_MS, HEAD_TIMEOUT_MS } from './budgets.ts';
import { type HeardFromDeps, heardFrom } from './node-word.ts';
import type { KnownSizes } from './known-sizes.ts';
import { isKnownSize, peerHeaders, type Refusal, refusalOf } from './peer-requests.ts';

/** A blob that a peer is asked about. */
export interface StatQuestion {
  readonly host: string;
  /** See peerPath(). */
  readonly path: string;
  readonly digest: Digest;
  /** Its size, if a body of it is under way. */
  readonly sizeBytes: number | undefined;
  /** Default: CONNECT_TIMEOUT_MS. */
  readonly connectTimeoutMs?: number;
}

/** What statAtPeer needs. */
export interface StatDeps extends HeardFromDeps {
  readonly transport: Pick<TransportClient, 'request'>;
  readonly sizes: Pick<KnownSizes, 'sizesOf'>;
}

/** Asks a peer whether it has a blob, and how large it is there. Rejects with PeerRequestError. */
export async function statAtPeer(
  deps: StatDeps,
  options: Pick<TransferOptions, 'registryPort' | 'authorization'>,
  { host, path, digest, sizeBytes: expectedBytes, connectTimeoutMs = CONNECT_TIMEOUT_MS }: StatQuestion,
  signal: AbortSignal,
): Promise<{ readonly sizeBytes: number; readonly origin: string } | Refusal> {
  const answer = await deps.transport.request(
    { method: 'HEAD', host, port: options.registryPort, path, headers: peerHeaders(options) },
    { connectTimeoutMs, headTimeoutMs: HEAD_TIMEOUT_MS, signal },
  );
  answer.body?.close();
  heardFrom(deps, host, answer);
  const refusal = refusalOf(answer.status);
  // A HEAD asks for no range.
  if (refusal !== undefined) return refusal === 'unsatisfiable' ? 'wrong' : refusal;
  const length = answer.header('content-length') ?? '';
  const sizeBytes = Number(length);
  const valid = answer.status === 200 && /^\d+$/.test(length) && Number.isSafeInteger(sizeBytes);
  const knownSizes = deps.sizes.sizesOf(digest);
  if (!valid || answer.header('docker-content-digest') !== digest) return 'wrong';
  return isKnownSize({ sizeBytes: expectedBytes, knownSizes }, sizeBytes)
    ? { sizeBytes, origin: host }
    : 'wrong';
}
