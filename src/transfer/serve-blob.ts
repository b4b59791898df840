import type { ClientResponse } from '../http/transport.ts';
import type { MissReason } from '../observe/transfer-log.ts';
import { type ByteRange, formatContentRange, rangeLength, resolveRange } from '../oci/byte-range.ts';
import { blobHeaders } from '../oci/content-headers.ts';
import { MAX_FRUITLESS_SOURCES } from './budgets.ts';
import { createBlobSources } from './blob-sources.ts';
import { missReason } from './miss-reason.ts';
import type {
  BlobRequest,
  BlobSources,
  BlobSourcesDeps,
  OpenedBlob,
  TransferOptions,
} from './blob-sources-contract.ts';

/** How a blob request ended. Only after `missing` and `unsatisfiable` has nothing been sent yet. */
export type BlobOutcome =
  | {
      readonly how: 'served';
      readonly source: 'local' | 'peer';
      readonly movedBytes: number;
      readonly sources: number;
    }
  | {
      readonly how: 'broken-off';
      readonly movedBytes: number;
      readonly owedBytes: number;
      readonly sources: number;
    }
  | { readonly how: 'client-gone'; readonly movedBytes: number; readonly sources: number }
  | { readonly how: 'unsatisfiable'; readonly sizeBytes: number | undefined }
  | {
      readonly how: 'missing';
      readonly localVanished: boolean;
      readonly attempts: number;
      readonly skipped: number;
      readonly reason: MissReason;
    };

/**
 * Serves a blob from the store, else from peers. The head goes out once, with the first source that is accepted.
 * A source that breaks is replaced at the byte where it broke; when nobody can go on, the response is broken off,
 * short, so that containerd asks for the rest.
 */
export async function serveBlob(
  deps: BlobSourcesDeps,
  options: TransferOptions,
  request: BlobRequest,
  client: ClientResponse,
): Promise<BlobOutcome> {
  const { range, local } = request;
  if (local !== undefined && range !== undefined && resolveRange(range, local.sizeBytes) === undefined) {
    return { how: 'unsatisfiable', sizeBytes: local.sizeBytes };
  }
  using blobs = createBlobSources(deps, options, request, client);
  const first = await blobs.open({ range, sizeBytes: undefined, replacing: false });
  if (first === undefined) return notBegun(blobs, client);

  client.begin(responseHead(request, first));
  const mayBeFollowed = request.isOwn === true && deps.flights !== undefined && first.peer !== undefined;
  using used = mayBeFollowed ? deps.relays.use(request.digest) : undefined;
  let opened: OpenedBlob | undefined = first;
  let fruitless = 0;
  for (let sources = 1; ; sources++) {
    const { source, stallTimeoutMs, pace, peer } = opened;
    const relayed = used && {
      relay: used.relay,
      fromByte: first.range.start + client.movedBytes,
    };
    const end = await client.move(source, { stallTimeoutMs, pace, relayed });
    blobs.moved(opened, end);
    const { movedBytes } = client;
    if (end.how === 'complete') {
      return { how: 'served', source: peer === undefined ? 'local' : 'peer', movedBytes, sources };
    }
    if (end.how !== 'source-broken') return { how: 'client-gone', movedBytes, sources };
    const rest: ByteRange = { start: first.range.start + movedBytes, end: first.range.end };
    fruitless = end.movedBytes === 0 ? fruitless + 1 : 0;
    const goOn = fruitless < MAX_FRUITLESS_SOURCES;
    opened = goOn
      ? await blobs.open({ range: rest, sizeBytes: first.sizeBytes, replacing: true })
      : undefined;
    if (opened === undefined) {
      client.breakOff();
      return { how: 'broken-off', movedBytes, owedBytes: rangeLength(rest), sources };
    }
  }
}

function responseHead(
  { digest, registry, range: asked, headers: more }: BlobRequest,
  { range, sizeBytes, origin }: OpenedBlob,
) {
  const headers = { ...blobHeaders({ digest, registry, origin }), ...more };
  const contentLength = rangeLength(range);
  if (asked === undefined) return { status: 200, headers, contentLength } as const;
  const contentRange = formatContentRange(range, sizeBytes);
  return { status: 206, headers: { ...headers, 'content-range': contentRange }, contentLength } as const;
}

function notBegun(
  { peers, sizeSaid, localVanished, slowSources }: BlobSources,
  client: ClientResponse,
): BlobOutcome {
  if (client.gone.aborted) return { how: 'client-gone', movedBytes: 0, sources: 0 };
  if (peers?.refusals.has('unsatisfiable') === true) return { how: 'unsatisfiable', sizeBytes: sizeSaid };
  const skipped = (peers?.skipped ?? 0) + slowSources;
  const reason = missReason(peers, { isSlow: slowSources > 0 });
  return { how: 'missing', localVanished, attempts: peers?.attempts ?? 0, skipped, reason };
}
