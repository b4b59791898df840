import type { MoveEnd, MoveOptions } from '../body-mover.ts';
import type { BufferedSource } from '../buffered-source.ts';
import { asMemoryRelay } from '../memory-relay.ts';

/** What a move needs of the response. */
export interface MoveTarget {
  readonly gone: AbortSignal;
  /** Hands bytes to the connection and returns how many it took; after fewer than all, whenWritable() tells when to go on. */
  readonly write: (chunk: Uint8Array) => number;
  /** Calls back, once, when the connection takes bytes again; undefined calls that off. */
  readonly whenWritable: (onWritable: (() => void) | undefined) => void;
}

/** Long enough for a turn of the event loop. */
const READ_FIRST_MS = 5;

/**
 * Moves all of a source: reads a chunk when the client's connection took the one before, and leaves with the source
 * what the connection did not take. Closes the source.
 */
export function moveSource(
  source: BufferedSource,
  { stallTimeoutMs, pace, signal, onProgress, relayed, gone, write, whenWritable }: MoveOptions & MoveTarget,
): Promise<MoveEnd> {
  const relay = relayed && asMemoryRelay(relayed.relay).begin(relayed.fromByte);
  return new Promise((resolve) => {
    let movedBytes = 0;
    let ended = false;
    let stall: Timer | undefined;
    /** Since when the source is waited for; undefined while the client is. */
    let waitingSinceMs: number | undefined;
    /** For how long the source was waited for before that. */
    let waitedMs = 0;
    let judging: Timer | undefined;

    const finish = (end: MoveEnd) => {
      if (ended) return;
      ended = true;
      clearTimeout(stall);
      clearInterval(judging);
      whenWritable(undefined);
      signal.removeEventListener('abort', onCancel);
      gone.removeEventListener('abort', onGone);
      source.close();
      relay?.end();
      resolve(end);
    };
    // Callers may pass client.gone as their signal, too: then it is the client that ended the move.
    const onCancel = () => finish({ how: gone.aborted ? 'client-gone' : 'cancelled', movedBytes });
    const onGone = () => finish({ how: 'client-gone', movedBytes });

    // Only the wait for the source is timed. A timer for each chunk would cost more than the chunk: one runs, and looks.
    const checkStall = () => {
      stall = undefined;
      if (waitingSinceMs === undefined) return;
      const leftMs = waitingSinceMs + stallTimeoutMs - performance.now();
      if (leftMs > 0) {
        stall = setTimeout(checkStall, leftMs);
        return;
      }
      // This process may have been held up, with the source's bytes unread in the kernel: they are read first.
      const sinceMs = waitingSinceMs;
      stall = setTimeout(() => {
        if (waitingSinceMs === sinceMs) finish({ how: 'source-broken', movedBytes, reason: 'stalled' });
        else checkStall();
      }, READ_FIRST_MS);
    };
    const waitedUntilNowMs = () =>
      waitingSinceMs === undefined ? waitedMs : waitedMs + performance.now() - waitingSinceMs;
    const judge = () => {
      const reason = pace?.judge({ movedBytes, waitedMs: waitedUntilNowMs() });
      if (reason !== undefined) finish({ how: 'source-broken', movedBytes, reason });
    };
    const next = () => {
      if (ended) return;
      if (movedBytes === source.sizeBytes) {
        finish({ how: 'complete', movedBytes });
        return;
      }
      let isRead = false;
      source.read((read) => {
        isRead = true;
        if (waitingSinceMs !== undefined) {
          waitedMs = waitedUntilNowMs();
          waitingSinceMs = undefined;
        }
        if (ended) return;
        if (!('chunk' in read)) {
          finish({ how: 'source-broken', movedBytes, ...read });
          return;
        }
        const { chunk } = read;
        const written = write(chunk);
        movedBytes += written;
        relay?.put(chunk.subarray(0, written));
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
    else if (signal.aborted) onCancel();
    else {
      signal.addEventListener('abort', onCancel, { once: true });
      gone.addEventListener('abort', onGone, { once: true });
      if (pace !== undefined) judging = setInterval(judge, pace.everyMs);
      next();
    }
  });
}
