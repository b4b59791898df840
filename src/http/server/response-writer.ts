import { copyBytes } from '../../runtime/copy-bytes.ts';
import type { ByteConnection } from './byte-connection.ts';

/** What a client's connection takes, in order, with the few bytes that it did not take yet. */
export interface ResponseWriter {
  /** Nothing handed over is waiting. */
  readonly idle: boolean;
  /** When the client last took a byte while bytes were waiting, in ms of the clock; undefined while none wait. */
  readonly blockedSinceMs: number | undefined;
  /** Hands all bytes over: what the kernel does not take now is copied and goes first later. For heads and small answers. */
  send(bytes: Uint8Array): void;
  /** Hands over what the kernel takes now and returns how many bytes that were; 0 while earlier bytes wait. */
  offer(bytes: Uint8Array): number;
  /** Calls back, once, when nothing waits and the kernel may take more; undefined calls that off. */
  whenWritable(onWritable: (() => void) | undefined): void;
  /** Sends FIN once all is sent. */
  finishWhenSent(onFinished: () => void): void;
  /** The connection can take bytes again. */
  writable(): void;
  /** The connection is gone: nothing is called back any more. */
  stop(): void;
}

/** Options of createResponseWriter. */
export interface ResponseWriterOptions {
  /** A client that takes no byte of what waits for this long is gone. */
  readonly stallTimeoutMs: number;
  readonly nowMs: () => number;
}

/** Writes to a connection. One that stalls is closed. */
export function createResponseWriter(
  connection: Pick<ByteConnection, 'write' | 'finish' | 'close'>,
  { stallTimeoutMs, nowMs }: ResponseWriterOptions,
): ResponseWriter {
  let unsent: Uint8Array | undefined;
  let waiting: (() => void) | undefined;
  let finished: (() => void) | undefined;
  let blockedSinceMs: number | undefined;
  let stall: Timer | undefined;
  let stopped = false;

  // A timer for each time that the client is slow would cost more than the bytes: one runs, and looks.
  const check = () => {
    stall = undefined;
    if (blockedSinceMs === undefined || stopped) return;
    const leftMs = blockedSinceMs + stallTimeoutMs - nowMs();
    if (leftMs > 0) stall = setTimeout(check, leftMs);
    else connection.close();
  };
  const write = (bytes: Uint8Array): number => {
    if (stopped) return 0;
    const written = connection.write(bytes);
    if (written === bytes.length) blockedSinceMs = undefined;
    else if (written > 0 || blockedSinceMs === undefined) {
      blockedSinceMs = nowMs();
      stall ??= setTimeout(check, stallTimeoutMs);
    }
    return written;
  };
  const flush = () => {
    if (unsent === undefined) return;
    const written = write(unsent);
    unsent = written === unsent.length ? undefined : unsent.subarray(written);
  };
  const finishIfSent = () => {
    if (finished === undefined || unsent !== undefined || stopped) return;
    const onFinished = finished;
    finished = undefined;
    connection.finish();
    onFinished();
  };

  return {
    get idle() {
      return unsent === undefined;
    },
    get blockedSinceMs() {
      return blockedSinceMs;
    },
    send(bytes) {
      if (unsent !== undefined) {
        const both = new Uint8Array(unsent.length + bytes.length);
        both.set(unsent);
        both.set(bytes, unsent.length);
        unsent = both;
        return;
      }
      const written = write(bytes);
      if (written < bytes.length) unsent = copyBytes(bytes, written);
    },
    offer: (bytes) => (unsent === undefined ? write(bytes) : 0),
    whenWritable(onWritable) {
      waiting = onWritable;
    },
    finishWhenSent(onFinished) {
      finished = onFinished;
      finishIfSent();
    },
    writable() {
      flush();
      if (unsent !== undefined) return;
      // From here on it is the source that is waited for, if anything is.
      blockedSinceMs = undefined;
      finishIfSent();
      const onWritable = waiting;
      waiting = undefined;
      onWritable?.();
    },
    stop() {
      stopped = true;
      clearTimeout(stall);
      unsent = undefined;
      waiting = undefined;
      finished = undefined;
    },
  };
}
