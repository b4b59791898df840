import type { ByteRange } from '../oci/byte-range.ts';
import type { Digest } from '../oci/digest.ts';
import type { Clock } from '../runtime/clock.ts';

/** A request for a blob that runs. Dispose it when it ends. */
export interface RunningRequest extends Disposable {
  /** A holder gives it: a peer that has the whole blob. */
  isHeld: boolean;
  /**
   * The part that its client will take, where it asks for the rest of the blob in several requests side by side and leaves
   * each where the next one begins (containerd's concurrent_layer_fetch_buffer); else undefined.
   */
  part(): ByteRange | undefined;
}

/** A body in pieces. */
export interface BodyInPieces extends Disposable {
  /** How many pieces it may have asked for just now. */
  readonly maxPieces: number;
}

/** What the node has seen of bodies in pieces, over all requests. */
export interface PieceHistory {
  /** A request for the blob from that byte on has begun; undefined: for another range. */
  begin(digest: Digest, fromByte: number | undefined): RunningRequest;
  /** True unless several requests for the blob run: their client spreads its ranges itself. */
  isAlone(digest: Digest): boolean;
  /** True while a holder gives the blob to another request. */
  isHeld(digest: Digest): boolean;
  /** A body goes on in pieces, until the result is disposed; undefined if there are enough such bodies. */
  goOnInPieces(): BodyInPieces | undefined;
  /** Pieces from several holders brought no more than one of them, which gave so many bytes per second. */
  wereInVain(bytesPerSecond: number): void;
  /** Pieces brought more than one holder gave. */
  wereGood(): void;
  /** Whether pieces may bring more than a holder that gives so many bytes per second. */
  mayHelp(bytesPerSecond: number): boolean;
}

const SECOND_MS = 1000;
/** Pieces that all bodies together have asked for and that have not gone to their clients: 12 MiB of memory. */
const MAX_PIECES = 12;
/** With fewer a body is better off with one source: as many bodies are in pieces as layers come at a time. */
const MIN_PIECES = 4;
/** Requests whose starts are closer to each other are not parts of one download, in bytes. */
const LEAST_PART_BYTES = 512 * 1024;
/**
 * For how long it is remembered that pieces were in vain, the first time: it may have been a holder that was busy. Each time in a
 * row the wait is twice as long, up to the longest: the link of a node seldom becomes faster. To see that it did costs some 50 ms.
 */
const IN_VAIN_MS = 20 * SECOND_MS;
const LONGEST_IN_VAIN_MS = 600 * SECOND_MS;
/** A holder that gives so much less than the one with which they were in vain is another case. */
const OTHER_RATIO = 2;

/** Has seen nothing. */
export function createPieceHistory(clock: Clock): PieceHistory {
  /** Where the requests of each blob begin. */
  const running = new Map<Digest, Map<RunningRequest, number | undefined>>();
  let inVain: { readonly untilMs: number; readonly bytesPerSecond: number } | undefined;
  /** How long the next wait is. */
  let inVainMs = IN_VAIN_MS;
  let inPieces = 0;
  return {
    goOnInPieces() {
      if (MAX_PIECES / (inPieces + 1) < MIN_PIECES) return undefined;
      inPieces++;
      let isOver = false;
      return {
        get maxPieces() {
          return Math.floor(MAX_PIECES / inPieces);
        },
        [Symbol.dispose]() {
          if (!isOver) inPieces--;
          isOver = true;
        },
      };
    },
    begin(digest, fromByte) {
      const requests = running.get(digest) ?? new Map<RunningRequest, number | undefined>();
      running.set(digest, requests);
      const request: RunningRequest = {
        isHeld: false,
        part() {
          if (fromByte === undefined || requests.size < 2) return undefined;
          const starts = [...requests.values()]
            .filter((start) => start !== undefined)
            .toSorted((a, b) => a - b);
          const steps = starts.flatMap((start, n) => (n === 0 ? [] : start - (starts[n - 1] ?? 0)));
          const bytes = Math.min(...steps.filter((step) => step >= LEAST_PART_BYTES));
          return Number.isFinite(bytes) ? { start: fromByte, end: fromByte + bytes - 1 } : undefined;
        },
        [Symbol.dispose]() {
          requests.delete(request);
          if (requests.size === 0 && running.get(digest) === requests) running.delete(digest);
        },
      };
      requests.set(request, fromByte);
      return request;
    },
    isAlone: (digest) => (running.get(digest)?.size ?? 0) <= 1,
    isHeld: (digest) =>
      running
        .get(digest)
        ?.keys()
        .some(({ isHeld }) => isHeld) === true,
    wereInVain(bytesPerSecond) {
      const untilMs = clock.nowMs() + inVainMs;
      inVainMs = Math.min(2 * inVainMs, LONGEST_IN_VAIN_MS);
      inVain = { untilMs, bytesPerSecond };
    },
    wereGood() {
      inVainMs = IN_VAIN_MS;
    },
    mayHelp(bytesPerSecond) {
      if (inVain === undefined || clock.nowMs() >= inVain.untilMs) return true;
      return bytesPerSecond < inVain.bytesPerSecond / OTHER_RATIO;
    },
  };
}
