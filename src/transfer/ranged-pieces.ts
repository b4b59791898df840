import type { MoveOptions } from '../http/transport.ts';
import { type ByteRange, rangeLength } from '../oci/byte-range.ts';
import type { Clock } from '../runtime/clock.ts';
import type { BlobRequest, BlobSources, BlobSourcesDeps, OpenedBlob } from './blob-sources-contract.ts';
import { watchForBottleneck } from './bottleneck-watch.ts';
import { type MoveOpened, movePiece } from './move-piece.ts';
import { createPieceHolders, type PieceHolders } from './piece-holders.ts';
import type { BodyInPieces, RunningRequest } from './piece-history.ts';
import { createPieceMemory, PIECE_BYTES } from './piece-memory.ts';
import { createPieceQueue } from './piece-queue.ts';

const MIB = 1024 * 1024;
const SECOND_MS = 1000;

/** A body of which less is left is not worth asking further holders. */
const LEAST_LEFT_BYTES = 16 * MIB;
/** A holder that gives so much is not helped, 2 Gbit/s: containerd writes no faster. */
const ENOUGH_BYTES_PER_SECOND = 250_000_000;
/** Holders of one body. */
const MAX_HOLDERS = 4;
/** How often what the pieces bring is compared with what one holder gave, in ms. */
const GAIN_MS = SECOND_MS / 4;
/** So much more than one holder gave they are to bring, */
const LEAST_GAIN = 1.15;
/** twice in a row: else one is as good, and costs less. */
const MAX_POOR = 2;
/** How long after a look for further holders the next one may begin, in ms. */
const LOOK_AGAIN_MS = 5 * SECOND_MS;

/** How a body in pieces ended. */
export type PiecesEnd =
  | { readonly how: 'complete' | 'client-gone' }
  /** One source is as good, or nothing else is left. `next` is the source to go on with; without it no holder is left. */
  | { readonly how: 'one-source'; readonly next: OpenedBlob | undefined };

/** The part of one body that comes from several holders side by side. */
export interface RangedPieces extends Disposable {
  /** How to move a source that gives all the rest of the body. If that move is `cancelled`, run() is to go on. */
  watch(opened: OpenedBlob): Pick<MoveOptions, 'pace' | 'signal'>;
  /** Gets the rest in pieces, which are moved in order. */
  run(rest: ByteRange, move: MoveOpened): Promise<PiecesEnd>;
  /** Opens the rest at a holder that is known and has not failed; undefined if there is none. */
  openRest(rest: ByteRange): Promise<OpenedBlob | undefined>;
  /** How many pieces were asked of another holder when the first one broke, or was late. */
  readonly replaced: number;
}

/** What createRangedPieces needs. */
export type RangedPiecesDeps = Pick<BlobSourcesDeps, 'clock' | 'floor' | 'logger' | 'observer' | 'pieces'> & {
  readonly blobs: Pick<BlobSources, 'findHolder' | 'holderOf' | 'openAt' | 'moved'>;
};

/**
 * Watches a body from one holder. When its client waits for the holder most of the time, and others have the blob, the rest
 * is got from up to four of them in pieces: while one piece goes to the client, the others come into the kernel's buffers.
 * A holder that is slower gets fewer pieces; one that fails, or is late, is replaced at the byte where it is.
 */
export function createRangedPieces(
  { clock, floor, logger, observer, pieces: history, blobs }: RangedPiecesDeps,
  { digest, takeMemory, isOwn }: BlobRequest,
  running: RunningRequest,
): RangedPieces {
  let sizeBytes = 0;
  /** Set when the body goes on in pieces. */
  let holders: PieceHolders | undefined;
  let singleBytesPerSecond = 0;
  let replaced = 0;
  let inPieces: BodyInPieces | undefined;
  /** Ends the move of the source that is watched. */
  let watched: AbortController | undefined;
  /** Memory is asked for. */
  let isStarting = false;
  const memory = createPieceMemory(takeMemory);
  const life = { isOver: false };
  /** Holders are looked for. */
  let finding: Promise<void> | undefined;
  let lookedMs = Number.NEGATIVE_INFINITY;
  let onFound = () => {};

  const find = async (known: PieceHolders) => {
    // The holder that the tower named may be found once more.
    for (let looks = 0; looks < MAX_HOLDERS && known.all.length < MAX_HOLDERS && !life.isOver; looks++) {
      const holder = await blobs.findHolder(sizeBytes);
      if (holder === undefined || life.isOver) return;
      if (known.has(holder)) continue;
      known.add(holder);
      onFound();
    }
  };
  const openRest = async (rest: ByteRange, known: PieceHolders | undefined) => {
    for (let holder = known?.best(); holder !== undefined; holder = known?.best()) {
      const opened = await blobs.openAt(holder, { range: rest, sizeBytes });
      if (opened !== undefined) return opened;
      holder.isOut = true;
    }
    return undefined;
  };

  return {
    get replaced() {
      return replaced;
    },
    watch(opened) {
      const { pace, range } = opened;
      watched = undefined;
      const held = blobs.holderOf(opened);
      running.isHeld = held !== undefined;
      const isWatched = takeMemory !== undefined && isOwn === true && holders === undefined;
      const holder = isWatched && rangeLength(range) >= LEAST_LEFT_BYTES ? held : undefined;
      if (holder === undefined) return { pace };
      sizeBytes = opened.sizeBytes;
      const stop = new AbortController();
      watched = stop;
      /** All holders that were found, once there is another one. */
      let ready: PieceHolders | undefined;
      const start = async (bytesPerSecond: number) => {
        if (isStarting || ready === undefined || watched !== stop || life.isOver) return;
        // What others have more than their part of is free soon.
        const place = history.goOnInPieces();
        if (place === undefined) return;
        isStarting = true;
        const isReserved = await memory.reserve().finally(() => {
          isStarting = false;
        });
        // Another source may give the body by now.
        if (!isReserved || watched !== stop) {
          place[Symbol.dispose]();
          return;
        }
        [inPieces, holders, singleBytesPerSecond] = [place, ready, bytesPerSecond];
        stop.abort();
      };
      const onBottleneck = (bytesPerSecond: number, movedBytes: number) => {
        const isWorthIt =
          rangeLength(range) - movedBytes >= LEAST_LEFT_BYTES &&
          bytesPerSecond < ENOUGH_BYTES_PER_SECOND &&
          history.isAlone(digest) &&
          history.mayHelp(bytesPerSecond);
        if (!isWorthIt || watched !== stop) return;
        if (ready !== undefined) void start(bytesPerSecond);
        if (finding !== undefined || ready !== undefined || clock.nowMs() - lookedMs < LOOK_AGAIN_MS) return;
        const known = createPieceHolders({
          nowMs: () => clock.nowMs(),
          pieceBytes: PIECE_BYTES,
          bytesPerSecond,
        });
        known.add(holder);
        onFound = () => {
          ready = known;
          void start(bytesPerSecond);
        };
        lookedMs = clock.nowMs();
        finding = find(known).finally(() => {
          finding = undefined;
        });
      };
      return { pace: watchForBottleneck({ clock, judge: pace, onBottleneck }), signal: stop.signal };
    },
    async run(rest, move) {
      const known = holders;
      if (known === undefined || inPieces === undefined) return { how: 'one-source', next: undefined };
      logger.debug('blob goes on in pieces', {
        digest,
        atByte: rest.start,
        bytesPerSecond: singleBytesPerSecond,
      });
      const queue = createPieceQueue({ holders: known, blobs, body: inPieces, memory }, { rest, sizeBytes });
      onFound = () => void queue.fill();
      const gain = createGain(clock, singleBytesPerSecond);
      let atByte = rest.start;
      try {
        for (let piece = await queue.first(); piece !== undefined; piece = await queue.first()) {
          const end = await movePiece({ clock, floor, holders: known, move }, piece);
          blobs.moved(piece.opened, end);
          observer.pieceMoved?.(end.movedBytes);
          atByte += end.movedBytes;
          gain.add(end.movedBytes);
          if (end.how === 'client-gone') return { how: 'client-gone' };
          if (end.how === 'complete') queue.done();
          else {
            replaced++;
            queue.replace(atByte);
          }
          if (atByte > rest.end) {
            if (gain.isGood()) history.wereGood();
            return { how: 'complete' };
          }
          if (gain.isPoor() && rest.end - atByte >= LEAST_LEFT_BYTES) {
            history.wereInVain(singleBytesPerSecond);
            break;
          }
        }
      } finally {
        queue.close();
        memory[Symbol.dispose]();
        inPieces[Symbol.dispose]();
      }
      onFound = () => {};
      logger.debug('blob goes on from one source', { digest, atByte });
      return { how: 'one-source', next: await openRest({ start: atByte, end: rest.end }, known) };
    },
    openRest: async (rest) => openRest(rest, holders),
    [Symbol.dispose]() {
      watched = undefined;
      life.isOver = true;
      memory[Symbol.dispose]();
      inPieces?.[Symbol.dispose]();
    },
  };
}

/** Compares what pieces bring with what one holder gave. */
function createGain(clock: Clock, bytesPerSecond: number) {
  let startedMs = clock.nowMs();
  let bytes = 0;
  let poor = 0;
  let isGood = false;
  return {
    add(movedBytes: number) {
      bytes += movedBytes;
      const passedMs = clock.nowMs() - startedMs;
      if (passedMs < GAIN_MS) return;
      const isPoor = (bytes / passedMs) * SECOND_MS < LEAST_GAIN * bytesPerSecond;
      poor = isPoor ? poor + 1 : 0;
      isGood ||= !isPoor;
      [startedMs, bytes] = [clock.nowMs(), 0];
    },
    isPoor: () => poor >= MAX_POOR,
    isGood: () => isGood,
  };
}
