import type { StreamHandler } from '@libp2p/interface';

import type { DhtNode } from '../../dht/dht-node-contract.ts';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import type { InboundFrames } from './inbound-frames.ts';
import { serveStream } from './serve-stream.ts';

/**
 * Handles the streams that other nodes open for the DHT's protocol. Messages are answered in the order in which they
 * come. A stream with a message that makes no sense is reset; what it has sent before stays in effect, and the
 * connection stays. While the peer does not read, or has sent more than it gets answered at once, nothing more is read
 * from it.
 */
export function createRpcServer(
  { answer }: Pick<DhtNode, 'answer'>,
  frames: Pick<InboundFrames, 'waits' | 'ended'>,
  clock: Pick<Clock, 'nowMs'> = systemClock,
): StreamHandler {
  return (stream, connection) => serveStream(stream, connection, { answer, frames, clock });
}
