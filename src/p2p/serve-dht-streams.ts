import type { Connection, Stream, StreamHandler } from '@libp2p/interface';

import type { DhtNode } from '../dht/dht-node.ts';
import { MAX_MESSAGE_BYTES } from '../dht/limits.ts';
import { createMessageSplitter } from '../dht/message-splitter.ts';
import { concat } from '../dht/protocol-buffers.ts';
import { spareWindowUpdates } from './spare-window-updates.ts';

/**
 * Handles the streams that other nodes open for the DHT's protocol: messages are answered in the order in which they
 * come, those that come together in one go. A stream with a message that makes no sense is reset, with what it has sent
 * before in effect; the connection stays. While the peer does not read, nothing is read from it.
 */
export function serveDhtStreams({ answer }: Pick<DhtNode, 'answer'>): StreamHandler {
  return (stream: Stream, connection: Connection) => {
    const from = connection.remotePeer.toMultihash().bytes;
    const splitter = createMessageSplitter(MAX_MESSAGE_BYTES);
    spareWindowUpdates(stream);
    const onMessage = ({ data }: { readonly data: Uint8Array | { subarray(): Uint8Array } }) => {
      try {
        const answers: Uint8Array[] = [];
        for (const message of splitter.push(data instanceof Uint8Array ? data : data.subarray())) {
          const bytes = answer(from, message);
          if (bytes !== undefined) answers.push(bytes);
        }
        if (answers.length === 0 || stream.send(concat(answers))) return;
        stream.pause();
        stream.onDrain().then(
          () => stream.resume(),
          (error: unknown) => stop(error),
        );
      } catch (error) {
        stop(error);
      }
    };
    const stop = (error: unknown) => {
      stream.removeEventListener('message', onMessage);
      stream.abort(error instanceof Error ? error : new Error(String(error)));
    };
    stream.addEventListener('message', onMessage);
    // The peer has no more questions: nothing is owed, as answers go out at once.
    stream.addEventListener('remoteCloseWrite', () => void stream.close().catch(stop), { once: true });
  };
}
