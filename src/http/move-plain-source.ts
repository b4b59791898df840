import type { MoveEnd, MoveOptions } from './body-mover.ts';
import type { PlainSource } from './plain-source.ts';

/** What a move needs of the response. */
export interface MoveTarget {
  readonly gone: AbortSignal;
  /** Hands bytes to the connection and calls back once it has taken them; never calls back if the client is gone. */
  readonly write: (chunk: Uint8Array, onDone: () => void) => void;
  /** Calls back, at once or later, when nothing handed over before is waiting. */
  readonly whenWritable: (onWritable: () => void) => void;
}

/** Moves all of a source, one chunk at a time: the next is read when the client's connection took the one before. Closes the source. */
export function movePlainSource(
  source: PlainSource,
  { stallTimeoutMs, signal, onProgress, gone, write, whenWritable }: MoveOptions & MoveTarget,
): Promise<MoveEnd> {
  return new Promise((resolve) => {
    let movedBytes = 0;
    let ended = false;
    let stall: Timer | undefined;

    const finish = (end: MoveEnd) => {
      if (ended) return;
      ended = true;
      clearTimeout(stall);
      signal.removeEventListener('abort', onCancel);
      gone.removeEventListener('abort', onGone);
      source.close();
      resolve(end);
    };
    // Callers may pass client.gone as their signal, too: then it is the client that ended the move.
    const onCancel = () => finish({ how: gone.aborted ? 'client-gone' : 'cancelled', movedBytes });
    const onGone = () => finish({ how: 'client-gone', movedBytes });

    const next = () => {
      if (ended) return;
      if (movedBytes === source.sizeBytes) {
        finish({ how: 'complete', movedBytes });
        return;
      }
      // Only the wait for the source is timed; a slow client is waited for in write().
      stall = setTimeout(
        () => finish({ how: 'source-broken', movedBytes, reason: 'stalled' }),
        stallTimeoutMs,
      );
      source.read((read) => {
        clearTimeout(stall);
        if (ended) return;
        if (!('chunk' in read)) {
          finish({ how: 'source-broken', movedBytes, ...read });
          return;
        }
        movedBytes += read.chunk.length;
        write(read.chunk, next);
        onProgress?.(movedBytes);
      });
    };

    if (gone.aborted) onGone();
    else if (signal.aborted) onCancel();
    else {
      signal.addEventListener('abort', onCancel, { once: true });
      gone.addEventListener('abort', onGone, { once: true });
      whenWritable(next);
    }
  });
}
