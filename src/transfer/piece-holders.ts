import type { Holder } from './blob-sources-contract.ts';

/** A holder of a body in pieces. */
export interface PieceHolder extends Holder {
  /** It failed, or refused, or was so slow that a piece was asked of another holder: it gets no more. */
  isOut: boolean;
}

/** What a holder does just now. */
export interface HolderWork {
  /** Pieces that it was asked for and that the client does not have yet. */
  readonly pieces: number;
  /** How many of them have not come whole. */
  readonly comingPieces: number;
  /** What of them has not come, in bytes. */
  readonly missingBytes: number;
  /** What has come from the holder since the start, in bytes. */
  readonly cameBytes: number;
}

/** The holders of a body in pieces, and which of them gets the next piece. */
export interface PieceHolders {
  readonly all: readonly PieceHolder[];
  add(holder: Holder): void;
  has(holder: Holder): boolean;
  /** Looks at what the holders do, to know how fast they are. */
  look(workOf: (holder: PieceHolder) => HolderWork): void;
  /** The holder that will have given the next piece first; undefined if all have enough to do, or if that is late for it. */
  next(workOf: (holder: PieceHolder) => HolderWork): PieceHolder | undefined;
  /** The fastest holder, other than that holder; undefined if there is none. */
  best(other?: PieceHolder): PieceHolder | undefined;
  /** How long a holder takes for a piece if it does nothing else, in ms. */
  pieceMs(holder: PieceHolder): number;
}

/** What createPieceHolders needs to know. */
export interface PieceHoldersOptions {
  readonly nowMs: () => number;
  readonly pieceBytes: number;
  /** What each holder is believed to give until it is known. */
  readonly bytesPerSecond: number;
}

/** The most pieces that are asked of one holder at a time: as many connections to a peer are kept. */
const MAX_ASKED = 4;
/** A holder has enough to do with so many pieces: it gives one, and need not wait for the next request. */
const ENOUGH_PIECES = 2;
/** Looks that are closer to each other tell nothing, in ms. */
const LEAST_LOOK_MS = 8;
/** Looks count for about so long, in ms. */
const MEMORY_MS = 100;
/** A piece may be later than if all gave evenly by so much. */
const SLACK = 1.5;
/** So much of a piece may be all that the kernel has room for. */
const FULL_PART = 0.5;

/** What is known of a holder. */
interface Seen {
  bytesPerMs: number;
  atMs: number;
  cameBytes: number;
  /** It had something to give at the last look. */
  wasBusy: boolean;
}

/** No holders yet. */
export function createPieceHolders({ nowMs, pieceBytes, bytesPerSecond }: PieceHoldersOptions): PieceHolders {
  const all: PieceHolder[] = [];
  const seen = new Map<PieceHolder, Seen>();
  const good = () => all.filter(({ isOut }) => !isOut);
  const rateOf = (holder: PieceHolder) => seen.get(holder)?.bytesPerMs ?? bytesPerSecond / 1000;
  const pieceMs = (holder: PieceHolder) => pieceBytes / Math.max(1, rateOf(holder));

  return {
    all,
    pieceMs,
    add: (holder) => void all.push({ ...holder, isOut: false }),
    has: ({ peer }) => all.some((holder) => holder.peer.id === peer.id),
    look(workOf) {
      for (const holder of good()) {
        const { pieces, comingPieces, missingBytes, cameBytes } = workOf(holder);
        const atMs = nowMs();
        const before = seen.get(holder);
        const isBusy = missingBytes > FULL_PART * comingPieces * pieceBytes;
        if (before === undefined) {
          if (pieces > 0) seen.set(holder, { bytesPerMs: rateOf(holder), atMs, cameBytes, wasBusy: isBusy });
          continue;
        }
        const passedMs = atMs - before.atMs;
        if (passedMs < LEAST_LOOK_MS) continue;
        const came = Math.max(0, cameBytes - before.cameBytes);
        // One that had given all it was asked for was not slow.
        if (before.wasBusy && isBusy) {
          const weight = Math.min(1, passedMs / MEMORY_MS);
          before.bytesPerMs += weight * (came / passedMs - before.bytesPerMs);
        } else if (came / passedMs > before.bytesPerMs) {
          before.bytesPerMs = came / passedMs;
        }
        Object.assign(before, { atMs, cameBytes, wasBusy: isBusy });
      }
    },
    next(workOf) {
      const holders = good().map((holder) => {
        const { pieces, missingBytes } = workOf(holder);
        return { holder, pieces, missingBytes, doneMs: (missingBytes + pieceBytes) / rateOf(holder) };
      });
      const free = holders.filter(
        ({ pieces, missingBytes }) => pieces < MAX_ASKED && missingBytes < ENOUGH_PIECES * pieceBytes,
      );
      const [first] = free.toSorted((a, b) => a.doneMs - b.doneMs);
      if (first === undefined) return undefined;
      // Its first piece shows how fast it is.
      if (!seen.has(first.holder)) return first.holder;
      const missing = holders.reduce((sum, each) => sum + each.missingBytes, pieceBytes);
      const together = holders.reduce((sum, each) => sum + rateOf(each.holder), 0);
      const fastestMs = Math.min(...holders.map(({ holder }) => pieceMs(holder)));
      return first.doneMs <= (SLACK * missing) / together + fastestMs ? first.holder : undefined;
    },
    best: (other) =>
      good()
        .filter((holder) => holder !== other)
        .toSorted((a, b) => rateOf(b) - rateOf(a))[0],
  };
}
