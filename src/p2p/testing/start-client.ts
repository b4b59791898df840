import { yamux } from '@chainsafe/libp2p-yamux';
import { identify } from '@libp2p/identify';
import type { Libp2p } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { createLibp2p } from 'libp2p';

import { encodeMessage, MESSAGE_TYPES } from '../../dht/wire/dht-message.ts';
import { createMessageReader } from '../../dht/wire/message-reader.ts';
import { MAX_MESSAGE_BYTES } from '../../dht/limits.ts';
import { KAD_PROTOCOL } from '../limits.ts';
import { noiseForBun } from '../patches/noise-for-bun.ts';

/** What node:net gets as it is; the types of @libp2p/tcp do not show it. */
interface DialOptions {
  readonly localAddress: string;
}

/**
 * A host of libp2p that connects from an address of its own on the loopback, and says that it speaks the DHT's protocol: a
 * cheap kind of node, of which one process can play many. It answers pings only. Stopped with the stack.
 */
export async function startClient(cleanup: AsyncDisposableStack, localAddress: string): Promise<Libp2p> {
  const dialOpts: DialOptions = { localAddress };
  const client = await createLibp2p({
    addresses: { listen: [], announce: [`/ip4/${localAddress}/tcp/5001`] },
    transports: [tcp({ dialOpts: dialOpts as object, outboundSocketInactivityTimeout: 0 })],
    connectionEncrypters: [noiseForBun()],
    streamMuxers: [yamux({ enableKeepAlive: false })],
    connectionMonitor: { enabled: false },
    services: { identify: identify() },
  });
  cleanup.defer(async () => client.stop());
  await client.handle(KAD_PROTOCOL, (stream) => {
    const reader = createMessageReader(MAX_MESSAGE_BYTES);
    stream.addEventListener('message', ({ data }) => {
      reader.add(data.subarray());
      for (let message = reader.next(); message !== undefined; message = reader.next()) {
        // The last field of each question that a node asks here is its type, or its key.
        if (message[1] === MESSAGE_TYPES.ping) stream.send(encodeMessage({ type: MESSAGE_TYPES.ping }));
      }
    });
    stream.addEventListener('remoteCloseWrite', () => void stream.close().catch(() => {}), { once: true });
  });
  return client;
}
