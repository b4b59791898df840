import type { Connection, Stream, StreamHandler } from '@libp2p/interface';

import type { DhtNode } from '../dht/dht-node.ts';
import { MAX_MESSAGE_BYTES } from '../dht/limits.ts';
import { createMessageSplitter } from '../dht/message-splitter.ts';
import { concat } from '../dht/protocol-buffers.ts';

/**
 * Answers that are made before it is looked at whether the peer takes them: a question has 40 bytes and its answer up
 * to 10,000, so that what fits into one frame of questions would be answered with 17 MB.
 */
const MAX_BYTES_AT_ONCE = 64 * 1024;

/**
 * Handles the streams that other nodes open for the DHT's protocol: messages are answered in the order in which they
 * come, those that come together in one go. A stream with a message that makes no sense is reset, with what it has sent
 * before in effect; the connection stays. While the peer does not read, nothing more is answered, nor read from it.
 */
export function serveDhtStreams({ answer }: Pick<DhtNode, 'answer'>): StreamHandler {
  return (stream: Stream, connection: Connection) => {
    const from = connection.remotePeer.toMultihash().bytes;
    const splitter = createMessageSplitter(MAX_MESSAGE_BYTES);
    /** Messages that are not answered yet. */
    const waiting: Uint8Array[] = [];
    let isHeld = false;
    let isAskedAll = false;
    const answerNext = () => {
      const answers: Uint8Array[] = [];
      for (let sizeBytes = 0; sizeBytes < MAX_BYTES_AT_ONCE;) {
        const message = waiting.shift();
        if (message === undefined) break;
        const bytes = answer(from, message);
        if (bytes === undefined) continue;
        answers.push(bytes);
        sizeBytes += bytes.length;
      }
      return concat(answers);
    };
    const goOn = () => {
      while (!isHeld && waiting.length > 0) {
        const answers = answerNext();
        if (answers.length === 0 || stream.send(answers)) continue;
        isHeld = true;
        stream.pause();
        stream.onDrain().then(
          () => {
            isHeld = false;
            attempt(goOn);
            if (isHeld || stream.status !== 'open') return;
            stream.resume();
            if (isAskedAll) close();
          },
          (error: unknown) => stop(error),
        );
      }
    };
    const attempt = (work: () => void) => {
      try {
        work();
      } catch (error) {
        stop(error);
      }
    };
    const onMessage = ({ data }: { readonly data: Uint8Array | { subarray(): Uint8Array } }) => {
      attempt(() => {
        for (const message of splitter.push(data instanceof Uint8Array ? data : data.subarray())) {
          waiting.push(message);
        }
        goOn();
      });
    };
    const stop = (error: unknown) => {
      waiting.length = 0;
      stream.removeEventListener('message', onMessage);
      stream.abort(error instanceof Error ? error : new Error(String(error)));
    };
    stream.addEventListener('message', onMessage);
    const close = () => void stream.close().catch(stop);
    // The peer has no more questions.
    const onAskedAll = () => {
      isAskedAll = true;
      if (!isHeld) close();
    };
    stream.addEventListener('remoteCloseWrite', onAskedAll, { once: true });
  };
}
