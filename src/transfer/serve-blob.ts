import type { ClientResponse } from '../http/transport.ts';
import type { MissReason } from '../observe/transfer-log.ts';
import {
  type ByteRange,
  formatContentRange,
  rangeLength,
  type RangeSpec,
  resolveRange,
} from '../oci/byte-range.ts';
import { blobHeaders } from '../oci/content-headers.ts';
import { MAX_FRUITLESS_SOURCES } from './budgets.ts';
import { createBlobSources } from './blob-sources.ts';
import { missReason } from './miss-reason.ts';
import type { MoveOpened } from './move-piece.ts';
import { createRangedPieces } from './ranged-pieces.ts';
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

/** How long a client that has all that it seemed to want may take to leave, in ms. */
const PART_END_MS = 50;

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
  using running = deps.pieces.begin(request.digest, request.isOwn === true ? restFrom(range) : undefined);
  const part = local === undefined ? running.part() : undefined;
  const first = await blobs.open({ range: part ?? range, sizeBytes: undefined, replacing: false });
  if (first === undefined) return notBegun(blobs, client);

  const end = part === undefined ? first.range.end : first.sizeBytes - 1;
  const whole: ByteRange = { start: first.range.start, end };
  client.begin(responseHead(request, { ...first, range: whole }));
  const mayBeFollowed = request.isOwn === true && deps.flights !== undefined && first.peer !== undefined;
  using used = mayBeFollowed ? deps.relays.use(request.digest) : undefined;
  using pieces = createRangedPieces({ ...deps, blobs }, request, running);
  const move: MoveOpened = async ({ source, stallTimeoutMs }, { pace, signal }) => {
    const relayed = used && { relay: used.relay, fromByte: whole.start + client.movedBytes };
    return client.move(source, { stallTimeoutMs, pace, signal, relayed });
  };
  let opened = first;
  let fruitless = 0;
  for (let sources = 1; ; sources++) {
    const { peer } = opened;
    request.onSource?.(opened.origin);
    const end = await move(opened, pieces.watch(opened));
    blobs.moved(opened, end);
    let next: OpenedBlob | undefined;
    let isGone = end.how === 'client-gone';
    if (end.how === 'cancelled') {
      const atByte = whole.start + client.movedBytes;
      const inPieces = await pieces.run({ start: atByte, end: whole.end }, move);
      if (inPieces.how === 'one-source') ({ next } = inPieces);
      isGone = inPieces.how === 'client-gone';
      sources += pieces.replaced;
    }
    const { movedBytes } = client;
    if (isGone) return { how: 'client-gone', movedBytes, sources };
    const rest: ByteRange = { start: whole.start + movedBytes, end: whole.end };
    if (rangeLength(rest) === 0) {
      return { how: 'served', source: peer === undefined ? 'local' : 'peer', movedBytes, sources };
    }
    // Its client is about to leave, unless it wants more than it seemed to.
    if (end.how === 'complete') {
      await deps.clock.sleep(PART_END_MS, client.gone).catch(() => {});
      if (client.gone.aborted) return { how: 'client-gone', movedBytes, sources };
    }
    fruitless = end.movedBytes === 0 ? fruitless + 1 : 0;
    if (fruitless < MAX_FRUITLESS_SOURCES) {
      next ??=
        (await pieces.openRest(rest)) ??
        (await blobs.open({ range: rest, sizeBytes: first.sizeBytes, replacing: true }));
    }
    if (next === undefined) {
      // The client asks again, a few times only, and the same sources may be tried again by then: it must get to upstream before.
      if (movedBytes === 0) deps.slowBlobs.sourceWasSlow(request.digest);
      client.breakOff();
      return { how: 'broken-off', movedBytes, owedBytes: rangeLength(rest), sources };
    }
    opened = next;
  }
}

/** The byte from which the rest of the blob is asked for; undefined for another range. */
function restFrom(range: RangeSpec | undefined): number | undefined {
  if (range === undefined) return 0;
  return 'start' in range && range.end === undefined ? range.start : undefined;
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
