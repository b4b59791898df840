import type { Stream } from '@libp2p/interface';

import { createMessageSplitter } from '../../dht/wire/message-splitter.ts';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import { atTurnEnd } from '../../runtime/turn-end.ts';

/** How long a question waits for others of its turn, when the turn is long, in ms. */
const MAX_UNSENT_MS = 2;

/** The stream ended before the answer came. It may have been too old; another stream may do. */
export class StreamLostError extends Error {
  override readonly name = 'StreamLostError';
  readonly code = 'DHT_STREAM_LOST';
}

/** A stream that is kept for one question after the other. */
export interface RequestStream {
  /** False once it has ended, by whichever side. */
  readonly isOpen: boolean;
  /** When the oldest question that has no answer yet was asked, in ms of the clock; undefined if there is none. */
  readonly waitingSinceMs: number | undefined;
  /**
   * Sends a message, its length in front, and resolves to the answer, without the length. Questions are answered in the
   * order in which they are asked, so a question need not wait for the answer to the question before it. Rejects with
   * StreamLostError when the stream ends first, or with why this node ended it.
   */
  ask(message: Uint8Array): Promise<Uint8Array>;
  /** Ends the stream; what is not answered by then rejects with the cause. */
  end(cause: Error): void;
}

/** Settings of createRequestStream. */
export interface RequestStreamOptions {
  readonly maxAnswerBytes: number;
  /** Questions without an answer at a time; more reject. */
  readonly maxWaiting: number;
  /** The stream ends when an answer takes longer. */
  readonly answerTimeoutMs: number;
  /** The stream ends when nothing was asked for that long. */
  readonly idleMs: number;
  /** Default: the machine's. */
  readonly clock?: Pick<Clock, 'nowMs'>;
  /** Called once, when the stream has ended. */
  readonly onEnd?: () => void;
}

interface Waiting {
  readonly sinceMs: number;
  resolve(answer: Uint8Array): void;
  reject(cause: Error): void;
}

/** Keeps the stream, whose protocol has been agreed on, for questions. It belongs to the result from then on. */
export function createRequestStream(
  stream: Stream,
  { maxAnswerBytes, maxWaiting, answerTimeoutMs, idleMs, clock = systemClock, onEnd }: RequestStreamOptions,
): RequestStream {
  const splitter = createMessageSplitter(maxAnswerBytes);
  const waiting: Waiting[] = [];
  let isOpen = true;
  let timer: ReturnType<typeof setTimeout> | undefined;

  /** Questions of this turn: together they are one frame. */
  let unsent: Uint8Array[] = [];
  let unsentSinceMs = 0;

  const flush = () => {
    if (!isOpen || unsent.length === 0) return;
    const [first] = unsent;
    const bytes = unsent.length === 1 && first !== undefined ? first : Buffer.concat(unsent);
    unsent = [];
    try {
      // Questions are small and few: no need to wait for room.
      stream.send(bytes);
    } catch (cause) {
      end(new StreamLostError('The stream cannot be written to', { cause }));
    }
  };
  const end = (cause: Error) => {
    if (!isOpen) return;
    isOpen = false;
    clearTimeout(timer);
    stream.removeEventListener('message', onMessage);
    // Reset, not closed: the other side need not answer for all of its resources to be free.
    stream.abort(cause);
    onEnd?.();
    for (const each of waiting.splice(0)) each.reject(cause);
  };
  const watch = () => {
    clearTimeout(timer);
    const [oldest] = waiting;
    timer =
      oldest === undefined
        ? setTimeout(() => end(new StreamLostError('The stream was idle')), idleMs)
        : setTimeout(() => end(new Error('The peer does not answer')), answerTimeoutMs);
  };
  const onMessage = ({ data }: { readonly data: Uint8Array | { subarray(): Uint8Array } }) => {
    try {
      for (const answer of splitter.push(data instanceof Uint8Array ? data : data.subarray())) {
        const asked = waiting.shift();
        if (asked === undefined) throw new Error('The peer answers what was not asked');
        asked.resolve(answer);
        watch();
      }
    } catch (error) {
      end(error instanceof Error ? error : new Error(String(error)));
    }
  };
  const onLost = () => end(new StreamLostError('The peer ended the stream'));
  stream.addEventListener('message', onMessage);
  stream.addEventListener('remoteCloseWrite', onLost, { once: true });
  stream.addEventListener('close', onLost, { once: true });
  watch();
  // What happened between opening and listening was not told.
  if (stream.status !== 'open' || stream.remoteWriteStatus !== 'writable') onLost();

  return {
    get isOpen() {
      return isOpen;
    },
    get waitingSinceMs() {
      return waiting[0]?.sinceMs;
    },
    async ask(message) {
      if (!isOpen) throw new StreamLostError('The stream has ended');
      if (waiting.length >= maxWaiting) throw new Error('Too many questions wait for this peer');
      const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
      const sinceMs = clock.nowMs();
      waiting.push({ sinceMs, resolve, reject });
      if (waiting.length === 1) watch();
      if (unsent.length === 0) {
        unsentSinceMs = sinceMs;
        atTurnEnd(flush);
      }
      unsent.push(message);
      if (sinceMs - unsentSinceMs > MAX_UNSENT_MS) flush();
      return promise;
    },
    end,
  };
}
