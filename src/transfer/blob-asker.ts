import type { BodySource, TransportClient } from '../http/transport.ts';
import type { Digest } from '../oci/digest.ts';
import { parseUnsatisfiedRange, type RangeSpec, rangeLength, resolveRange } from '../oci/byte-range.ts';
import type { TakenBytes } from '../runtime/memory/byte-budget.ts';
import type { BlobRequest, OpenedBlob, TransferOptions } from './blob-sources-contract.ts';
import { FLIGHT_HEAD_TIMEOUT_MS, HEAD_TIMEOUT_MS } from './budgets.ts';
import type { KnownSizes } from './known-sizes.ts';
import { heardFrom, type HeardFromDeps } from './node-word.ts';
import {
  checkBlobAnswer,
  FLIGHT_HEADER,
  flightRefusalOf,
  peerHeaders,
  peerPath,
  type Refusal,
} from './peer-requests.ts';
import type { AskedAddress } from './peer-session.ts';
import { readVerified, type SmallBlobDeps } from './small-blob.ts';

/** What a peer answered. */
export type AnsweredBlob = Pick<OpenedBlob, 'source' | 'range' | 'sizeBytes' | 'origin'> & {
  /** The peer is downloading it itself. */
  readonly isGrowing: boolean;
};

/** What of the blob is asked for. */
export interface AskedPart {
  readonly range: RangeSpec | undefined;
  /** The size of the blob, if a body of it is under way. */
  readonly sizeBytes: number | undefined;
}

/** What createBlobAsker needs. */
export interface BlobAskerDeps extends SmallBlobDeps, HeardFromDeps {
  readonly transport: SmallBlobDeps['transport'] & Pick<TransportClient, 'openBytes' | 'request'>;
  readonly sizes: Pick<KnownSizes, 'sizesOf' | 'wholeBytes'>;
}

/** Asks peers for one blob, and checks what they answer. Dispose it to give back the memory of small blobs. */
export interface BlobAsker extends Disposable {
  /** Its path at a peer. */
  readonly path: string;
  /** Asks at an address. A small blob is read whole and verified. Rejects with PeerRequestError. */
  ask(
    at: Omit<AskedAddress, 'peer' | 'onReached'> & Partial<Pick<AskedAddress, 'onReached'>>,
    part: AskedPart,
    how: {
      readonly isWhole: boolean;
      readonly isFlight: boolean;
      readonly aheadBytes?: number | undefined;
    },
  ): Promise<AnsweredBlob | Refusal>;
  /** True for the source of a small blob, whose bytes are verified. */
  isHeld(source: BodySource): boolean;
  /** Gives back the memory of a source whose bytes were moved. */
  release(source: BodySource): void;
  /** Gives back an answer that is not needed. */
  discard(answer: AnsweredBlob): void;
  /** The size of the blob as a peer said it that does not have the range; undefined: none did. */
  readonly sizeSaid: number | undefined;
  /** An answer contradicts the sizes that manifests say. */
  readonly isContradicted: boolean;
}

/** A blob of up to so many bytes is small: it is read whole, and verified. */
export function wholeBytesOf(
  { sizes }: { readonly sizes: Pick<KnownSizes, 'wholeBytes'> },
  { wholeBytes }: Pick<TransferOptions, 'wholeBytes'>,
  digest: Digest,
): number {
  return wholeBytes ?? sizes.wholeBytes(digest);
}

/** Has asked no peer yet. */
export function createBlobAsker(
  deps: BlobAskerDeps,
  options: Pick<TransferOptions, 'authorization' | 'registryPort' | 'wholeBytes'>,
  { digest, repository, registry }: Pick<BlobRequest, 'digest' | 'repository' | 'registry'>,
): BlobAsker {
  const { transport, sizes } = deps;
  const path = peerPath({ kind: 'blob', repository, reference: digest, registry });
  const wholeBytes = wholeBytesOf(deps, options, digest);
  /** Memory of a small blob that is being moved, by its source. */
  const held = new Map<BodySource, TakenBytes>();
  let sizeSaid: number | undefined;
  let isContradicted = false;

  const ask: BlobAsker['ask'] = async (at, part, how) => {
    const { host, connectTimeoutMs, signal, onReached } = at;
    const { range, sizeBytes } = part;
    const { isWhole, isFlight, aheadBytes } = how;
    const answer = await transport.request(
      {
        method: 'GET',
        host,
        port: options.registryPort,
        path,
        headers: peerHeaders(options, isWhole ? undefined : range, isFlight),
      },
      {
        connectTimeoutMs,
        headTimeoutMs: isFlight ? FLIGHT_HEAD_TIMEOUT_MS : HEAD_TIMEOUT_MS,
        signal,
        aheadBytes,
        onReached,
      },
    );
    const { body } = answer;
    heardFrom(deps, host, answer);
    const isGrowing = answer.header(FLIGHT_HEADER) === 'growing';
    const refused = isFlight ? flightRefusalOf(answer) : undefined;
    if (refused !== undefined) {
      body?.close();
      return refused;
    }
    const knownSizes = sizes.sizesOf(digest);
    const expected = { digest, range: isWhole ? undefined : range, sizeBytes, knownSizes };
    const accepted = checkBlobAnswer(answer, body?.sizeBytes, expected);
    if (typeof accepted === 'string' || body === undefined) {
      body?.close();
      if (accepted === 'unsatisfiable') sizeSaid = parseUnsatisfiedRange(answer.header('content-range'));
      const refusal = typeof accepted === 'string' ? accepted : 'wrong';
      isContradicted ||= refusal === 'wrong' && knownSizes !== undefined;
      return refusal;
    }
    if (accepted.sizeBytes > wholeBytes) return { ...accepted, source: body, origin: host, isGrowing };
    if (rangeLength(accepted.range) < accepted.sizeBytes) {
      // A part cannot be verified.
      body.close();
      return ask(at, part, { isWhole: true, isFlight });
    }
    const blob = await readVerified(deps, { body, digest, host }, signal);
    if (typeof blob === 'string') return blob;
    const wanted = range === undefined ? accepted.range : resolveRange(range, accepted.sizeBytes);
    if (wanted === undefined) {
      blob.release();
      sizeSaid = accepted.sizeBytes;
      return 'unsatisfiable';
    }
    const source = transport.openBytes(blob.bytes.subarray(wanted.start, wanted.end + 1));
    held.set(source, blob);
    return { source, range: wanted, sizeBytes: accepted.sizeBytes, origin: host, isGrowing: false };
  };

  const release = (source: BodySource) => {
    held.get(source)?.release();
    held.delete(source);
  };
  return {
    path,
    ask,
    isHeld: (source) => held.has(source),
    release,
    discard({ source }) {
      source.close();
      release(source);
    },
    get sizeSaid() {
      return sizeSaid;
    },
    get isContradicted() {
      return isContradicted;
    },
    [Symbol.dispose]() {
      for (const taken of held.values()) taken.release();
    },
  };
}
