import type { MoveEnd, MoveOptions } from '../http/transport.ts';
import type { Clock } from '../runtime/clock.ts';
import type { OpenedBlob } from './blob-sources-contract.ts';
import type { PieceHolders } from './piece-holders.ts';
import type { OpenedPiece } from './piece-queue.ts';
import type { ThroughputFloor } from './throughput-floor.ts';

/** How the client gets what a source gives. */
export type MoveOpened = (
  opened: OpenedBlob,
  options: Pick<MoveOptions, 'pace' | 'signal'>,
) => Promise<MoveEnd>;

/** A piece that is waited for is asked of another holder after so long at the earliest, in ms. */
const LEAST_LATE_MS = 150;
/** And if what is left of it comes so many times as slowly as all of a piece from the other holder. */
const LATE_RATIO = 4;
/** How often that is looked at, in ms. */
const LATE_CHECK_MS = 50;

/**
 * Moves a piece to the client. `cancelled`: another holder is expected to give the rest of it sooner. What the floor says of
 * the holder's pace counts, too.
 */
export async function movePiece(
  {
    clock,
    floor,
    holders,
    move,
  }: {
    readonly clock: Clock;
    readonly floor: ThroughputFloor;
    readonly holders: PieceHolders;
    readonly move: MoveOpened;
  },
  { opened, holder }: OpenedPiece,
): Promise<MoveEnd> {
  const pace = floor.watch(opened.origin);
  const late = new AbortController();
  let judgedMs = clock.nowMs();
  const isLate = (movedBytes: number, waitedMs: number): boolean => {
    const other = holders.best(holder);
    if (other === undefined) return false;
    const otherMs = holders.pieceMs(other);
    if (waitedMs < Math.max(LEAST_LATE_MS, LATE_RATIO * otherMs)) return false;
    const leftMs = (waitedMs * (opened.source.sizeBytes - movedBytes)) / Math.max(1, movedBytes);
    return leftMs > LATE_RATIO * otherMs;
  };
  const end = await move(opened, {
    signal: late.signal,
    pace: {
      everyMs: LATE_CHECK_MS,
      judge(progress) {
        if (isLate(progress.movedBytes, progress.waitedMs)) {
          late.abort();
          return undefined;
        }
        if (clock.nowMs() - judgedMs < pace.everyMs) return undefined;
        judgedMs = clock.nowMs();
        return pace.judge(progress);
      },
    },
  });
  // What it gave before it was moved is unknown to the floor.
  pace.ended(0);
  return end;
}
