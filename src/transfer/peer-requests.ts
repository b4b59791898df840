import {
  type ByteRange,
  formatRange,
  parseContentRange,
  parseUnsatisfiedRange,
  type RangeSpec,
  resolveRange,
} from '../oci/byte-range.ts';
import type { Digest } from '../oci/digest.ts';
import { type PeerAnswer, PeerRequestError } from '../http/transport.ts';
import type { Peer } from '../routing/router.ts';
import { ADDRESSES_PER_PEER, CONNECT_TIMEOUT_MS, OTHER_CONNECT_TIMEOUT_MS } from './budgets.ts';

/** Marks a request that comes from another node: the receiver must not forward it (the contract with Spegel). */
export const MIRRORED_HEADER = 'x-spegel-mirrored';

/**
 * Between nodes of this program. In a request: what this node is downloading will do, too. In an answer: it comes from
 * such a download (`growing`), or would in a moment: with 503 `waiting` if bytes come there, `queued` if the download
 * waits for its turn. With 404 `given-up`: it was to come from such a download, and will not.
 */
export const FLIGHT_HEADER = 'x-spegel-flight';

/**
 * Between nodes of this program, with HEAD for a blob: containerd of the asking node has refused the bytes that this node gave. It
 * hashes its file again.
 */
export const VERIFY_HEADER = 'x-spegel-verify';

/** What is asked of peers: one piece of content and the names by which its registry knows it. */
export interface PeerTarget {
  readonly kind: 'manifest' | 'blob';
  readonly repository: string;
  /** The digest or tag at the end of the path. */
  readonly reference: string;
  readonly registry: string | undefined;
}

/** Path and query of the request to a peer. All parts were parsed before, so none needs escaping but the registry. */
export function peerPath({ kind, repository, reference, registry }: PeerTarget): string {
  const query = registry === undefined ? '' : `?ns=${encodeURIComponent(registry)}`;
  return `/v2/${repository}/${kind}s/${reference}${query}`;
}

/** Headers of the request to a peer. */
export function peerHeaders(
  { authorization }: { readonly authorization?: string | undefined },
  range?: RangeSpec,
  isFlight = false,
): Record<string, string> {
  return {
    ...(isFlight ? { [FLIGHT_HEADER]: '1' } : {}),
    ...(authorization === undefined ? {} : { authorization }),
    [MIRRORED_HEADER]: 'true',
    accept: '*/*',
    'accept-encoding': 'identity',
    ...(range === undefined ? {} : { range: formatRange(range) }),
  };
}

/**
 * Why a peer's answer is not used. `absent`: it does not have the content; `given-up`: it was to download it. `busy`: not
 * now. `waiting`: it is about to download it. `unsatisfiable`: it says that the range is out of bounds. `wrong`: what it says contradicts the request or itself.
 */
export type Refusal = 'absent' | 'given-up' | 'busy' | 'waiting' | 'queued' | 'unsatisfiable' | 'wrong';

/** A blob answer that is as asked for: these bytes of a blob of this size. */
export interface AcceptedBlob {
  readonly range: ByteRange;
  readonly sizeBytes: number;
}

/** The refusal that a status means, or undefined if it announces content. */
export function refusalOf(status: number): Refusal | undefined {
  if (status === 200 || status === 206) return undefined;
  if (status === 404) return 'absent';
  if (status === 416) return 'unsatisfiable';
  if (status === 429 || status === 503) return 'busy';
  return 'wrong';
}

/** What an answer says of a node that is, or was, about to download what it was asked for, see FLIGHT_HEADER. */
export function flightRefusalOf(
  answer: Pick<PeerAnswer, 'status' | 'header'>,
): 'waiting' | 'queued' | 'given-up' | undefined {
  const how = answer.header(FLIGHT_HEADER);
  if (answer.status === 404) return how === 'given-up' ? how : undefined;
  if (answer.status !== 503) return undefined;
  return how === 'waiting' || how === 'queued' ? how : undefined;
}

/** What an answer to a blob request is checked against. */
export interface ExpectedBlob {
  readonly digest: Digest;
  /** The range that was asked for; undefined: the whole. */
  readonly range: RangeSpec | undefined;
  /** The blob's size, if a body of it is under way: no other may be mixed in. */
  readonly sizeBytes: number | undefined;
  /** The sizes that manifests say, if any does: one of them it must be. */
  readonly knownSizes: readonly number[] | undefined;
}

/** Checks the head of an answer to a blob request against what was asked, and what is known of the blob. */
export function checkBlobAnswer(
  answer: Pick<PeerAnswer, 'status' | 'header'>,
  contentLength: number | undefined,
  expected: ExpectedBlob,
): AcceptedBlob | Refusal {
  const refusal = refusalOf(answer.status);
  if (refusal === 'unsatisfiable') {
    const said = parseUnsatisfiedRange(answer.header('content-range'));
    return isSatisfiable(expected, said) ? 'wrong' : 'unsatisfiable';
  }
  if (refusal !== undefined) return refusal;
  if (contentLength === undefined) return 'wrong';
  if (answer.header('docker-content-digest') !== expected.digest) return 'wrong';
  const accepted =
    answer.status === 200 ? whole(contentLength) : parseContentRange(answer.header('content-range'));
  if (accepted === undefined) return 'wrong';
  const { start, end, sizeBytes } = accepted;
  if (end - start + 1 !== contentLength) return 'wrong';
  if (!isKnownSize(expected, sizeBytes)) return 'wrong';
  const asked = expected.range === undefined ? whole(sizeBytes) : resolveRange(expected.range, sizeBytes);
  if (asked === undefined || asked.start !== start || asked.end !== end) return 'wrong';
  return { range: { start, end }, sizeBytes };
}

/** True unless what is known of the blob says another size. */
export function isKnownSize(
  { sizeBytes, knownSizes }: Pick<ExpectedBlob, 'sizeBytes' | 'knownSizes'>,
  said: number,
): boolean {
  return sizeBytes === undefined ? knownSizes?.includes(said) !== false : sizeBytes === said;
}

/** True if the range that was asked for is within the blob: no range always is, others by its known size or the one said. */
function isSatisfiable({ range, sizeBytes, knownSizes }: ExpectedBlob, said: number | undefined): boolean {
  if (range === undefined) return true;
  const sizes = sizeBytes === undefined ? (knownSizes ?? []) : [sizeBytes];
  return [...sizes, said ?? 0].some((size) => resolveRange(range, size) !== undefined);
}

/**
 * Asks a peer at its first addresses, the next one only when a connection to the last could not be made. `ask` is told how long
 * it may take to connect, in ms.
 */
export async function atAnyAddress<T>(
  peer: Peer,
  ask: (host: string, connectTimeoutMs: number) => Promise<T>,
): Promise<T> {
  let failure: Error | undefined;
  for (const [index, host] of peer.addresses.slice(0, ADDRESSES_PER_PEER).entries()) {
    try {
      return await ask(host, index === 0 ? CONNECT_TIMEOUT_MS : OTHER_CONNECT_TIMEOUT_MS);
    } catch (error) {
      failure = error as Error;
      const unreachable =
        error instanceof PeerRequestError &&
        (error.code === 'CONNECT_FAILED' || error.code === 'CONNECT_TIMEOUT');
      if (!unreachable) break;
    }
  }
  throw failure ?? new PeerRequestError('CONNECT_FAILED', 'The peer has no address');
}

function whole(sizeBytes: number): ByteRange & { sizeBytes: number } {
  return { start: 0, end: sizeBytes - 1, sizeBytes };
}
