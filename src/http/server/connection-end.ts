import { LINGER_MS } from '../limits.ts';
import type { ByteConnection } from './byte-connection.ts';
import type { HttpClientResponse } from './client-response.ts';
import type { ResponseWriter } from './response-writer.ts';

/**
 * How long a client that sent FIN after its request waits for the next bytes of its answer. Some half-close and read on (nc,
 * socat): what is sent to the others comes back as RST. While there is nothing to send, only this tells that they have left.
 */
const HALF_CLOSED_WAIT_MS = 250;

/** What createConnectionEnd needs. */
export interface ConnectionEndDeps {
  readonly connection: Pick<ByteConnection, 'close'>;
  readonly writer: Pick<ResponseWriter, 'finishWhenSent'>;
  /** The answer that its handler has not given yet. */
  readonly unanswered: () => HttpClientResponse | undefined;
}

/** How a connection ends: with FIN from here, from the client, or both. */
export interface ConnectionEnd {
  /** FIN was sent, or will be: what comes is read and dropped. */
  readonly isEnding: boolean;
  /** The connection is gone. */
  readonly isOver: boolean;
  /** The client sent FIN. */
  readonly isHalfClosed: boolean;
  /**
   * Flushes, sends FIN, and goes on reading for a while: closing while the client's bytes are unread would send RST
   * (RFC 9112, 9.6).
   */
  begin(): void;
  /** The client sent FIN. */
  halfClosed(isAnswering: boolean): void;
  /** The connection is gone. */
  over(): void;
}

/** Makes the end of a connection that is open. */
export function createConnectionEnd({ connection, writer, unanswered }: ConnectionEndDeps): ConnectionEnd {
  let [isEnding, isFinished, isHalfClosed, isOver] = [false, false, false, false];
  /** Ends the wait for the client's FIN, or that of a client that sent FIN for its answer. */
  let linger: Timer | undefined;

  /** For a client that sent FIN: closes when the handler has nothing for it for a while. */
  const closeIfNothingComes = () => {
    const was = unanswered();
    const movedBytes = was?.movedBytes;
    linger = setTimeout(() => {
      const isWaiting =
        was !== undefined && unanswered() === was && was.movedBytes === movedBytes && was.stalledMs === 0;
      if (isWaiting) connection.close();
      else if (!isEnding) closeIfNothingComes();
    }, HALF_CLOSED_WAIT_MS);
  };

  return {
    get isEnding() {
      return isEnding;
    },
    get isOver() {
      return isOver;
    },
    get isHalfClosed() {
      return isHalfClosed;
    },
    begin() {
      if (isEnding || isOver) return;
      isEnding = true;
      writer.finishWhenSent(() => {
        isFinished = true;
        clearTimeout(linger);
        if (isHalfClosed) connection.close();
        else linger = setTimeout(() => connection.close(), LINGER_MS);
      });
    },
    halfClosed(isAnswering) {
      isHalfClosed = true;
      if (isEnding ? isFinished : !isAnswering) connection.close();
      else if (!isEnding) closeIfNothingComes();
    },
    over() {
      isOver = true;
      clearTimeout(linger);
    },
  };
}
