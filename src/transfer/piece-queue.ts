import { type ByteRange, rangeLength } from '../oci/byte-range.ts';
import type { BlobSources, OpenedBlob } from './blob-sources-contract.ts';
import type { BodyInPieces } from './piece-history.ts';
import type { HolderWork, PieceHolder, PieceHolders } from './piece-holders.ts';
import { PIECE_BYTES, type PieceMemory } from './piece-memory.ts';

/** A piece that can be moved. */
export interface OpenedPiece {
  readonly opened: OpenedBlob;
  readonly holder: PieceHolder;
}

/** The next pieces of a body, in order. */
export interface PieceQueue {
  /** The piece that is the client's next; undefined if there is none, or if no holder or no memory is left. */
  first(): Promise<OpenedPiece | undefined>;
  /** Asks for as many more pieces as there are memory and holders for. */
  fill(): Promise<void>;
  /** All of the first piece is with the client. */
  done(): void;
  /** The holder of the first piece is out: what of it is missing, from `atByte` on, and its other pieces are asked of others. */
  replace(atByte: number): void;
  /** Gives up all pieces. */
  close(): void;
}

/** What createPieceQueue needs. */
export interface PieceQueueDeps {
  readonly holders: PieceHolders;
  readonly blobs: Pick<BlobSources, 'openAt'>;
  readonly body: BodyInPieces;
  readonly memory: Pick<PieceMemory, 'take'>;
}

/** A piece of the queue. */
interface Piece {
  /** What of it the client does not have yet. */
  range: ByteRange;
  readonly memory: Disposable;
  /** The last request for it; undefined if no holder is left. */
  asked: Asked | undefined;
}

/** One request for a piece. */
interface Asked {
  readonly holder: PieceHolder;
  /** Resolves when the holder has answered, with undefined if it does not give the piece. */
  answered: Promise<OpenedBlob | undefined>;
  /** What it gave, until that is given up. */
  opened: OpenedBlob | undefined;
}

/** Makes the queue of the rest of a body. It asks for nothing before fill(). */
export function createPieceQueue(
  { holders, blobs, body, memory }: PieceQueueDeps,
  { rest, sizeBytes }: { readonly rest: ByteRange; readonly sizeBytes: number },
): PieceQueue {
  const queue: Piece[] = [];
  let nextByte = rest.start;
  let filling: Promise<void> | undefined;
  const closed = new AbortController();

  /** What came from each holder in pieces that are not in the queue any more, in bytes. */
  const gone = new Map<PieceHolder, number>();
  /** What of a piece has come from the holder of which it was asked last, in bytes. */
  const cameOf = ({ asked }: Piece) => asked?.opened?.source.arrivedBytes ?? 0;
  const workOf = (holder: PieceHolder): HolderWork => {
    const own = queue.filter(({ asked }) => asked?.holder === holder);
    const missing = own.map((piece) => Math.max(0, rangeLength(piece.range) - cameOf(piece)));
    return {
      pieces: own.length,
      comingPieces: missing.filter((bytes) => bytes > 0).length,
      missingBytes: missing.reduce((sum, bytes) => sum + bytes, 0),
      cameBytes: own.reduce((sum, piece) => sum + cameOf(piece), 0) + (gone.get(holder) ?? 0),
    };
  };

  const ask = (piece: Piece, holder: PieceHolder | undefined) => {
    piece.asked = undefined;
    if (holder === undefined) return;
    const asked: Asked = {
      holder,
      answered: Promise.resolve(undefined),
      opened: undefined,
    };
    piece.asked = asked;
    asked.answered = blobs
      .openAt(holder, { range: piece.range, sizeBytes, aheadBytes: PIECE_BYTES })
      .then((opened) => {
        const isWanted = piece.asked === asked && !closed.signal.aborted;
        if (opened !== undefined && isWanted) {
          asked.opened = opened;
          return opened;
        }
        opened?.source.close();
        if (opened === undefined) holder.isOut = true;
        if (isWanted) ask(piece, holders.best());
        return undefined;
      });
    // It is told where the piece is wanted.
    asked.answered.catch(() => {});
  };
  /** Gives up what was asked, or was moved. What is not answered yet is closed when it is. */
  const giveUp = ({ asked }: Piece) => {
    if (asked?.opened === undefined) return;
    asked.opened.source.close();
    asked.opened = undefined;
  };
  const countGone = ({ asked }: Piece, bytes: number) => {
    if (asked !== undefined) gone.set(asked.holder, (gone.get(asked.holder) ?? 0) + bytes);
  };
  const fillUp = async () => {
    holders.look(workOf);
    while (!closed.signal.aborted && nextByte <= rest.end && queue.length < body.maxPieces) {
      if (holders.next(workOf) === undefined) return;
      const taken = await memory.take();
      if (taken === undefined) return;
      // It may be over by now, or the holder out.
      const holder = closed.signal.aborted ? undefined : holders.next(workOf);
      if (holder === undefined) {
        taken[Symbol.dispose]();
        return;
      }
      const range = { start: nextByte, end: Math.min(nextByte + PIECE_BYTES - 1, rest.end) };
      nextByte = range.end + 1;
      const piece: Piece = { range, memory: taken, asked: undefined };
      queue.push(piece);
      ask(piece, holder);
    }
  };
  const fill = async () => {
    filling ??= fillUp().finally(() => {
      filling = undefined;
    });
    return filling;
  };

  return {
    fill,
    async first() {
      if (queue.length === 0) await fill();
      else void fill();
      const [piece] = queue;
      // A holder that does not give it is followed by another one.
      for (let asked = piece?.asked; asked !== undefined; asked = piece?.asked) {
        const opened = await asked.answered;
        if (opened !== undefined) return { opened, holder: asked.holder };
      }
      return undefined;
    },
    done() {
      const piece = queue.shift();
      if (piece === undefined) return;
      countGone(piece, rangeLength(piece.range));
      giveUp(piece);
      piece.memory[Symbol.dispose]();
    },
    replace(atByte) {
      const [first] = queue;
      const out = first?.asked?.holder;
      if (first === undefined || out === undefined) return;
      out.isOut = true;
      countGone(first, atByte - first.range.start);
      first.range = { start: atByte, end: first.range.end };
      for (const piece of queue.filter(({ asked }) => asked?.holder === out)) {
        giveUp(piece);
        ask(piece, holders.best());
      }
    },
    close() {
      closed.abort();
      for (const piece of queue.splice(0)) {
        giveUp(piece);
        const { memory: held, asked } = piece;
        const release = () => held[Symbol.dispose]();
        if (asked === undefined) release();
        else void asked.answered.then(release, release);
      }
    },
  };
}
