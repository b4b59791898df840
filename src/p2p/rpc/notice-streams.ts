import type { Connection, Libp2p, Stream, StreamHandler } from '@libp2p/interface';

import type { NamedPeer } from '../../dht/wire/dht-message.ts';
import type { DhtNode } from '../../dht/dht-node-contract.ts';
import { MAX_MESSAGE_BYTES } from '../../dht/limits.ts';
import { createMessageSplitter } from '../../dht/wire/message-splitter.ts';
import { latestConnection } from '../connections/latest-connection.ts';
import { NOTICE_PROTOCOL } from '../limits.ts';
import { peerOf } from '../peer-names.ts';

const SECOND_MS = 1000;
/** Time to open a stream on a connection that is there. */
const OPEN_STREAM_TIMEOUT_MS = 5 * SECOND_MS;

/** Handles the streams on which other nodes send notices. A stream whose notice makes no sense is reset. */
export function serveNoticeStreams({ notice }: Pick<DhtNode, 'notice'>): StreamHandler {
  return (stream: Stream, connection: Connection) => {
    const from = connection.remotePeer.toMultihash().bytes;
    const splitter = createMessageSplitter(MAX_MESSAGE_BYTES);
    const stop = (error: unknown) => stream.abort(error instanceof Error ? error : new Error(String(error)));
    stream.addEventListener('message', ({ data }) => {
      try {
        for (const message of splitter.push(data instanceof Uint8Array ? data : data.subarray())) {
          notice(from, message);
        }
      } catch (error) {
        stop(error);
      }
    });
    stream.addEventListener('remoteCloseWrite', () => void stream.close().catch(stop), { once: true });
  };
}

/** Sends a notice to a peer that is connected. Rejects when it is not, or does not take it within 5 s. */
export async function sendNotice(
  libp2p: Pick<Libp2p, 'getConnections'>,
  { id }: NamedPeer,
  notice: Uint8Array,
): Promise<void> {
  const peer = peerOf(id);
  const latest = latestConnection(libp2p, peer);
  if (latest === undefined) throw new Error('The peer is not connected');
  const signal = AbortSignal.timeout(OPEN_STREAM_TIMEOUT_MS);
  const stream = await latest.newStream(NOTICE_PROTOCOL, { signal });
  try {
    stream.send(notice);
    await stream.close({ signal });
  } catch (error) {
    stream.abort(error as Error);
    throw error;
  }
}
