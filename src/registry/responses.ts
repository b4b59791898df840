import type { MissReason } from '../observe/transfer-log.ts';
import { formatContentRange, formatUnsatisfiedRange, parseRange, resolveRange } from '../oci/byte-range.ts';
import { blobHeaders, manifestHeaders, namespaceHeader } from '../oci/content-headers.ts';
import {
  DistributionError,
  type DistributionProblem,
  formatDistributionError,
} from '../oci/distribution-error.ts';
import type { DistributionPath, RoutablePath } from '../oci/distribution-path.ts';
import { routingKey } from '../oci/routing-key.ts';
import type { PlainAnswer } from '../http/http-server.ts';
import type { FetchedManifest } from '../transfer/fetch-manifest.ts';
import { FLIGHT_HEADER } from '../transfer/peer-requests.ts';
import type { BlobContentRequest } from './content-request.ts';

/** The answer with a manifest, and `more` headers; HEAD has the same headers and no body. */
export function manifestAnswer(
  manifest: FetchedManifest,
  { registry }: DistributionPath,
  method: 'GET' | 'HEAD',
  more: Readonly<Record<string, string>> | undefined,
): PlainAnswer {
  const { bytes } = manifest;
  const headers = {
    ...manifestHeaders({ ...manifest, registry }),
    ...more,
    'content-length': `${bytes.length}`,
  };
  return { status: 200, headers, body: method === 'HEAD' ? undefined : bytes };
}

/** A range of a short blob whose bytes are at hand, or all of it; 416 where there are no such bytes. */
export function shortBlobAnswer(
  bytes: Uint8Array,
  { path, rangeHeader }: Pick<BlobContentRequest, 'path' | 'rangeHeader'>,
  more: Readonly<Record<string, string>> | undefined,
): PlainAnswer {
  const { digest, registry } = path;
  const spec = parseRange(rangeHeader);
  const headers = { ...blobHeaders({ digest, registry, origin: 'local' }), ...more };
  if (spec === undefined) {
    return { status: 200, headers: { ...headers, 'content-length': `${bytes.length}` }, body: bytes };
  }
  const range = resolveRange(spec, bytes.length);
  if (range === undefined) return unsatisfiableAnswer(bytes.length, path);
  const body = bytes.subarray(range.start, range.end + 1);
  const partly = {
    'content-range': formatContentRange(range, bytes.length),
    'content-length': `${body.length}`,
  };
  return { status: 206, headers: { ...headers, ...partly }, body };
}

/** 416, with the blob's size if that is known. */
export function unsatisfiableAnswer(
  sizeBytes: number | undefined,
  { registry }: DistributionPath,
): PlainAnswer {
  const headers = {
    ...(sizeBytes === undefined ? {} : { 'content-range': formatUnsatisfiedRange(sizeBytes) }),
    ...namespaceHeader(registry),
    'content-length': '0',
  };
  return { status: 416, headers, body: undefined };
}

/** The answer that says the problem. */
export function problemAnswer(
  problem: DistributionProblem,
  headers: Readonly<Record<string, string>> = {},
): PlainAnswer {
  const body = Buffer.from(formatDistributionError(problem));
  const reason = problem.detail?.['reason'];
  return {
    status: problem.status,
    headers: {
      'content-type': 'application/json',
      'content-length': `${body.length}`,
      // For a HEAD, which gets no body, and for logs of a proxy.
      ...(typeof reason === 'string' ? { 'x-spegel-miss': reason } : {}),
      ...headers,
    },
    body,
  };
}

/** 404 for content that was found nowhere; `why` has the peers' part, if any were looked for. */
export function unknownContent(
  path: RoutablePath,
  why: { readonly attempts?: number; readonly skipped?: number; readonly reason?: MissReason } = {},
): DistributionProblem {
  const code = path.kind === 'manifest' ? 'MANIFEST_UNKNOWN' : 'BLOB_UNKNOWN';
  const { attempts, skipped, reason } = why;
  const message = `${routingKey(path)}: ${reasonOf(why)}`;
  return { status: 404, code, message, detail: { attempts, skipped, reason } };
}

/** 503 for a request that found no share of this node in time: the client goes on to the next host, at best to upstream. */
export function overloaded(): DistributionError {
  const reason: MissReason = 'overloaded';
  return new DistributionError(503, 'UNAVAILABLE', 'This node serves as much as it may; try another', {
    reason,
  });
}

/** 503 for another node that would take what this node is downloading, before it has any of it: it asks again. */
export function waitingForDownload(how: 'waiting' | 'queued'): PlainAnswer {
  const message = 'This node is about to download it; ask again';
  return problemAnswer({ status: 503, code: 'UNAVAILABLE', message }, { [FLIGHT_HEADER]: how });
}

/** 404 for another node that would take what this node was to download, and does not: it need not ask again. */
export function givenUpDownload(path: RoutablePath): PlainAnswer {
  return problemAnswer(unknownContent(path), { [FLIGHT_HEADER]: 'given-up' });
}

/** 503 for a request of another node while containerd does not answer. */
export function storeUnavailable(): DistributionProblem {
  const message = 'containerd does not answer on this node; try another';
  return { status: 503, code: 'UNAVAILABLE', message };
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
