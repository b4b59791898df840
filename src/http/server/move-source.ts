import type { BrokenReason, MoveEnd, MoveOptions } from '../transport.ts';
import type { BufferedSource, LentSource } from '../buffered-source.ts';
import type { KernelMove, KernelMoveEnd } from '../kernel/kernel-mover.ts';
import { asMemoryRelay } from '../memory-relay.ts';

/** What a move needs of the response. */
export interface MoveTarget {
  /** Aborts when the client is gone. Made when it is first asked for. */
  readonly gone: () => AbortSignal;
  /** Hands bytes to the connection and returns how many it took; after fewer than all, whenWritable() tells when to go on. */
  readonly write: (chunk: Uint8Array) => number;
  /** Calls back, once, when the connection takes bytes again; undefined calls that off. */
  readonly whenWritable: (onWritable: (() => void) | undefined) => void;
  /** Whether the kernel may move so many bytes to the connection. */
  readonly mayTake: (bytes: number) => boolean;
  /** Lets the kernel move to the connection, where it can; see KernelMover.begin(). */
  readonly handOver: (source: LentSource, onEnd: (end: KernelMoveEnd) => void) => KernelMove | undefined;
}

/** Long enough for a turn of the event loop, and for the thread that moves bytes to look. */
const READ_FIRST_MS = 5;
/**
 * Moves all of a source: lets the kernel move it where that can be done; else reads a chunk when the client's connection
 * took the one before, and leaves with the source what the connection did not take. Closes the source.
 */
export async function moveSource(
  source: BufferedSource,
  options: MoveOptions & MoveTarget,
): Promise<MoveEnd> {
  const { signal, relayed, write, onProgress } = options;
  if (source.isInMemory !== true || relayed !== undefined || signal?.aborted === true) {
    return moveRest(source, 0, options);
  }
  // Most small bodies are with the client by this.
  let movedBytes = 0;
  source.read((read) => {
    if (!('chunk' in read)) return;
    movedBytes = write(read.chunk);
    if (movedBytes < read.chunk.length) source.unread(read.chunk.length - movedBytes);
  });
  if (movedBytes > 0) onProgress?.(movedBytes);
  if (movedBytes < source.sizeBytes) return moveRest(source, movedBytes, options);
  source.close();
  return { how: 'complete', movedBytes };
}

/** Moves what follows the bytes that were moved already. */
function moveRest(
  source: BufferedSource,
  alreadyMovedBytes: number,
  {
    stallTimeoutMs,
    pace,
    signal,
    onProgress,
    relayed,
    gone: whenGone,
    write,
    whenWritable,
    mayTake,
    handOver,
  }: MoveOptions & MoveTarget,
): Promise<MoveEnd> {
  const onFollowed = () => kernel?.release();
  const relay = relayed && asMemoryRelay(relayed.relay);
  const relaying = relayed && relay?.begin(relayed.fromByte, onFollowed);
  let kernel: KernelMove | undefined;
  const gone = whenGone();
  return new Promise((resolve) => {
    let movedBytes = alreadyMovedBytes;
    let ended = false;
    /** How the move ends when the kernel has told how far it came. */
    let ending: ((movedBytes: number) => MoveEnd) | undefined;
    let stall: Timer | undefined;
    /** Since when the source is waited for; undefined while the client is. */
    let waitingSinceMs: number | undefined;
    /** For how long the source was waited for before that. */
    let waitedMs = 0;
    let judging: Timer | undefined;
    let showing: Timer | undefined;
    let mayHandOver = true;

    const finish = (end: (movedBytes: number) => MoveEnd) => {
      if (ended) return;
      if (kernel !== undefined) {
        ending ??= end;
        kernel.stop();
        return;
      }
      ended = true;
      clearTimeout(stall);
      clearInterval(judging);
      whenWritable(undefined);
      signal?.removeEventListener('abort', onCancel);
      gone.removeEventListener('abort', onGone);
      source.close();
      relaying?.end();
      resolve(end(movedBytes));
    };
    const breakSource = (reason: BrokenReason, cause?: unknown) =>
      finish((moved) => ({ how: 'source-broken', movedBytes: moved, reason, cause }));
    // Callers may pass client.gone as their signal, too: then it is the client that ended the move.
    const onCancel = () =>
      finish((moved) => ({ how: gone.aborted ? 'client-gone' : 'cancelled', movedBytes: moved }));
    const onGone = () => finish((moved) => ({ how: 'client-gone', movedBytes: moved }));

    const waitingMs = () =>
      kernel?.waitingMs ?? (waitingSinceMs === undefined ? 0 : performance.now() - waitingSinceMs);
    const isWaiting = () => kernel !== undefined || waitingSinceMs !== undefined;
    // Only the wait for the source is timed. A timer for each chunk would cost more than the chunk: one runs, and looks.
    const checkStall = () => {
      stall = undefined;
      if (!isWaiting()) return;
      const leftMs = stallTimeoutMs - waitingMs();
      if (leftMs > 0) {
        stall = setTimeout(checkStall, leftMs);
        return;
      }
      // This process may have been held up, with the source's bytes unread in the kernel: they are read first.
      stall = setTimeout(() => {
        if (isWaiting() && waitingMs() >= stallTimeoutMs) breakSource('stalled');
        else checkStall();
      }, READ_FIRST_MS);
    };
    const waitedUntilNowMs = () => waitedMs + (kernel?.waitedMs ?? waitingMs());
    const judge = () => {
      const moved = movedBytes + (kernel?.movedBytes ?? 0);
      const reason = pace?.judge({ movedBytes: moved, waitedMs: waitedUntilNowMs() });
      if (reason !== undefined) breakSource(reason);
    };

    /** Hands over what comes next; false if that cannot be done. */
    const giveToKernel = (): boolean => {
      const leftBytes = source.sizeBytes - movedBytes;
      if (!mayHandOver || relay?.isFollowed === true || !mayTake(leftBytes)) return false;
      const lent = source.lend?.();
      if (lent === undefined) return false;
      const move = handOver(lent, (end) => takeBack(lent, end));
      if (move === undefined) {
        lent.giveBack(0, true);
        return false;
      }
      kernel = move;
      lent.follow?.((writtenBytes, isOver) => move.grown(writtenBytes, isOver));
      // Nothing else runs in this thread while the kernel moves: a stall is looked for from now on.
      stall ??= setTimeout(checkStall, stallTimeoutMs);
      if (onProgress !== undefined) {
        let shownBytes = 0;
        showing = setInterval(() => {
          if (move.movedBytes === shownBytes) return;
          shownBytes = move.movedBytes;
          onProgress(movedBytes + shownBytes);
        }, READ_FIRST_MS);
      }
      return true;
    };
    const takeBack = (lent: LentSource, end: KernelMoveEnd) => {
      kernel = undefined;
      clearInterval(showing);
      movedBytes += end.movedBytes;
      waitedMs += end.waitedMs;
      relaying?.pass(end.movedBytes);
      // It could not be begun there.
      if (end.movedBytes === 0) mayHandOver = false;
      lent.giveBack(end.movedBytes, end.isInStep);
      if (end.movedBytes > 0) onProgress?.(movedBytes);
      // Also if it was to end: all of it is with the client.
      if (movedBytes === source.sizeBytes) next();
      else if (ending !== undefined) finish(ending);
      else if (end.outcome === 'client-failed' || end.outcome === 'stopped') onGone();
      // The error of a socket is told once, and the kernel's move has had it.
      else if (end.outcome === 'source-failed' && lent.kind === 'socket') breakSource('connection-lost');
      else {
        // Else the source itself tells why it gives no more.
        if (end.outcome !== 'released') mayHandOver = false;
        next();
      }
    };
    const next = () => {
      if (ended) return;
      if (movedBytes === source.sizeBytes) {
        finish((moved) => ({ how: 'complete', movedBytes: moved }));
        return;
      }
      if (giveToKernel()) return;
      let isRead = false;
      source.read((read) => {
        isRead = true;
        if (waitingSinceMs !== undefined) {
          waitedMs += waitingMs();
          waitingSinceMs = undefined;
        }
        if (ended) return;
        if (!('chunk' in read)) {
          breakSource(read.reason, read.cause);
          return;
        }
        const { chunk } = read;
        const written = write(chunk);
        movedBytes += written;
        relaying?.put(chunk.subarray(0, written));
        const unsentBytes = chunk.length - written;
        if (unsentBytes > 0) {
          source.unread(unsentBytes);
          whenWritable(next);
        }
        if (written > 0) onProgress?.(movedBytes);
        if (unsentBytes === 0) next();
      });
      if (isRead || ended) return;
      waitingSinceMs = performance.now();
      stall ??= setTimeout(checkStall, stallTimeoutMs);
    };

    if (gone.aborted) onGone();
    else if (signal?.aborted === true) onCancel();
    else {
      signal?.addEventListener('abort', onCancel, { once: true });
      gone.addEventListener('abort', onGone, { once: true });
      if (pace !== undefined) judging = setInterval(judge, pace.everyMs);
      if (movedBytes > 0) whenWritable(next);
      else next();
    }
  });
}
