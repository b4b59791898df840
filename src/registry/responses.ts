import type { MissReason } from '../observe/transfer-log.ts';
import { formatUnsatisfiedRange } from '../oci/byte-range.ts';
import { manifestHeaders, namespaceHeader } from '../oci/content-headers.ts';
import { DistributionError, formatDistributionError } from '../oci/distribution-error.ts';
import type { DistributionPath, RoutablePath } from '../oci/distribution-path.ts';
import { routingKey } from '../oci/routing-key.ts';
import type { FetchedManifest } from '../transfer/fetch-manifest.ts';
import { FLIGHT_HEADER } from '../transfer/peer-requests.ts';

/** The answer with a manifest; HEAD has the same headers and no body. */
export function manifestResponse(
  manifest: FetchedManifest,
  { registry }: DistributionPath,
  method: 'GET' | 'HEAD',
): Response {
  const { bytes } = manifest;
  return new Response(method === 'HEAD' ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), {
    headers: { ...manifestHeaders({ ...manifest, registry }), 'content-length': String(bytes.byteLength) },
  });
}

/** 416, with the blob's size if that is known. */
export function unsatisfiableResponse(
  sizeBytes: number | undefined,
  { registry }: DistributionPath,
): Response {
  return new Response(null, {
    status: 416,
    headers: {
      ...(sizeBytes === undefined ? {} : { 'content-range': formatUnsatisfiedRange(sizeBytes) }),
      ...namespaceHeader(registry),
      'content-length': '0',
    },
  });
}

/** The answer for an error of the distribution spec. */
export function errorResponse(
  error: DistributionError,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const body = formatDistributionError(error);
  const reason = error.detail?.['reason'];
  return new Response(body, {
    status: error.status,
    headers: {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      // For a HEAD, which gets no body, and for logs of a proxy.
      ...(typeof reason === 'string' ? { 'x-spegel-miss': reason } : {}),
      ...headers,
    },
  });
}

/** 404 for content that was found nowhere; `why` has the peers' part, if any were looked for. */
export function unknownContent(
  path: RoutablePath,
  why: { readonly attempts?: number; readonly skipped?: number; readonly reason?: MissReason } = {},
): DistributionError {
  const code = path.kind === 'manifest' ? 'MANIFEST_UNKNOWN' : 'BLOB_UNKNOWN';
  return new DistributionError(404, code, `${routingKey(path)}: ${reasonOf(why)}`, {
    ...(why.attempts === undefined ? {} : { attempts: why.attempts }),
    ...(why.skipped === undefined ? {} : { skipped: why.skipped }),
    ...(why.reason === undefined ? {} : { reason: why.reason }),
  });
}

/** 503 for a request that found no share of this node in time: the client goes on to the next host, at best to upstream. */
export function overloaded(): DistributionError {
  const reason: MissReason = 'overloaded';
  return new DistributionError(503, 'UNAVAILABLE', 'This node serves as much as it may; try another', {
    reason,
  });
}

/** 503 for another node that would take what this node is downloading, before it has any of it: it asks again. */
export function waitingForDownload(how: 'waiting' | 'queued'): Response {
  const error = new DistributionError(503, 'UNAVAILABLE', 'This node is about to download it; ask again');
  return errorResponse(error, { [FLIGHT_HEADER]: how });
}

/** 404 for another node that would take what this node was to download, and does not: it need not ask again. */
export function givenUpDownload(path: RoutablePath): Response {
  return errorResponse(unknownContent(path), { [FLIGHT_HEADER]: 'given-up' });
}

/** 503 for a request of another node while containerd does not answer. */
export function storeUnavailable(): DistributionError {
  return new DistributionError(503, 'UNAVAILABLE', 'containerd does not answer on this node; try another');
}

function reasonOf({
  attempts,
  skipped = 0,
}: {
  readonly attempts?: number;
  readonly skipped?: number;
}): string {
  if (attempts === undefined) return 'this node does not have it';
  if (attempts > 0) return 'no peer that was asked could serve it';
  return skipped > 0 ? 'the peers that have it failed a moment ago' : 'no peer has it';
}
