import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { BodySource, ClientResponse, MoveEnd, MoveOptions, ResponseHead } from './body-mover.ts';
import { CLIENT_STALL_TIMEOUT_MS } from './limits.ts';
import { lingerClose } from './linger-close.ts';
import { movePlainSource } from './move-plain-source.ts';
import { asPlainSource } from './plain-source.ts';

/** A ClientResponse over node:http, with what the server needs of it. */
export interface PlainClientResponse extends ClientResponse {
  /** Everything that is owed was handed to the connection. */
  readonly complete: boolean;
}

/** Options of createPlainClientResponse. */
export interface PlainClientResponseOptions {
  /** The client's connection. */
  readonly socket: Socket;
  /** The request was a HEAD: the head is all that is owed. */
  readonly bodyless: boolean;
  /** A client that takes no byte for this long is gone. */
  readonly clientStallTimeoutMs?: number | undefined;
}

/** Wraps the response to one request. */
export function createPlainClientResponse(
  response: ServerResponse,
  { socket, bodyless, clientStallTimeoutMs = CLIENT_STALL_TIMEOUT_MS }: PlainClientResponseOptions,
): PlainClientResponse {
  const gone = new AbortController();
  let begun = false;
  let moving = false;
  let brokenOff = false;
  let owedBytes = 0;
  let movedBytes = 0;
  let unwritten = 0;
  let flushed = false;
  let onWritten: (() => void) | undefined;
  let endInOrder: (() => void) | undefined;

  // Bun also emits `finish`, and calls back without an error, for what a destroyed socket will never send.
  response.prependOnceListener('finish', () => {
    flushed = !socket.destroyed;
  });
  response.once('close', () => {
    if (!flushed && !brokenOff) gone.abort(new Error('The client closed its connection'));
  });
  // An error of the client's connection is followed by its close, which is what counts.
  response.on('error', () => {});

  /** Hands bytes to the connection; calls back when the kernel has taken them. */
  const write = (chunk: Uint8Array, onDone: () => void) => {
    const isLast = movedBytes + chunk.length === owedBytes;
    movedBytes += chunk.length;
    unwritten += 1;
    const stalled = setTimeout(() => socket.destroy(), clientStallTimeoutMs);
    const done = () => {
      clearTimeout(stalled);
      unwritten -= 1;
      if (isLast ? !flushed : socket.destroyed) return;
      onDone();
      if (unwritten === 0) (endInOrder ?? onWritten)?.();
    };
    if (isLast) response.end(chunk, done);
    else response.write(chunk, done);
  };

  return {
    gone: gone.signal,
    get begun() {
      return begun;
    },
    get movedBytes() {
      return movedBytes;
    },
    get complete() {
      return begun && movedBytes === owedBytes;
    },
    begin({ status, headers, contentLength }: ResponseHead) {
      if (begun) throw new Error('Cannot begin a response twice');
      if (!Number.isSafeInteger(contentLength) || contentLength < 0) {
        throw new RangeError(`Cannot begin a response of ${contentLength} bytes`);
      }
      response.writeHead(status, { ...headers, 'Content-Length': contentLength });
      begun = true;
      owedBytes = bodyless ? 0 : contentLength;
      if (owedBytes === 0) response.end();
    },
    async move(body: BodySource, options: MoveOptions): Promise<MoveEnd> {
      const source = asPlainSource(body);
      const refusal = moving
        ? new Error('Cannot move two sources at once')
        : !begun || brokenOff
          ? new Error('Cannot move a source before begin() or after breakOff()')
          : source.sizeBytes > owedBytes - movedBytes
            ? new RangeError(`Cannot move ${source.sizeBytes} bytes: ${owedBytes - movedBytes} are owed`)
            : undefined;
      if (refusal !== undefined) {
        source.close();
        throw refusal;
      }
      moving = true;
      try {
        return await movePlainSource(source, {
          ...options,
          gone: gone.signal,
          write,
          // What a cancelled move left behind goes first: this client is slow, not this source.
          whenWritable: (onWritable) => {
            onWritten = () => {
              onWritten = undefined;
              onWritable();
            };
            if (unwritten === 0) onWritten();
          },
        });
      } finally {
        moving = false;
        onWritten = undefined;
      }
    },
    breakOff() {
      if (brokenOff || gone.signal.aborted || (begun && movedBytes === owedBytes)) return;
      brokenOff = true;
      if (begun) response.flushHeaders();
      // Bun sends no FIN after an end() that had to wait for bytes: they go out first.
      endInOrder = () => lingerClose(socket, clientStallTimeoutMs);
      if (unwritten === 0) endInOrder();
      // Also before begin(): nobody waits for what the handler may still be looking for.
      if (moving || !begun) gone.abort(new Error('The response was broken off'));
    },
  };
}
