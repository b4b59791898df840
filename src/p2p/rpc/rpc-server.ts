import type { Connection, Stream, StreamHandler } from '@libp2p/interface';

import type { DhtNode } from '../../dht/dht-node-contract.ts';
import { MAX_MESSAGE_BYTES } from '../../dht/limits.ts';
import { createMessageReader } from '../../dht/wire/message-reader.ts';
import { concat } from '../../dht/wire/protocol-buffers.ts';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import type { InboundFrames, WaitingStream } from './inbound-frames.ts';
import { originOf } from '../addresses/peer-addresses.ts';

/**
 * Answers that are made before it is looked at whether the peer takes them: a question has 40 bytes and its answer up
 * to 10,000, so that what fits into one frame of questions would be answered with 17 MB.
 */
const MAX_BYTES_AT_ONCE = 32 * 1024;
/** How long messages of one stream are handled before others have their turn, in ms. */
const TURN_MS = 4;

/**
 * Handles the streams that other nodes open for the DHT's protocol: messages are answered in the order in which they
 * come. A stream with a message that makes no sense is reset, with what it has sent before in effect; the connection
 * stays. While the peer does not read, or has sent more than it gets answered at once, nothing more is read from it.
 */
export function createRpcServer(
  { answer }: Pick<DhtNode, 'answer'>,
  frames: Pick<InboundFrames, 'waits' | 'ended'>,
  clock: Pick<Clock, 'nowMs'> = systemClock,
): StreamHandler {
  return (stream: Stream, connection: Connection) => {
    const from = connection.remotePeer.toMultihash().bytes;
    const reader = createMessageReader(MAX_MESSAGE_BYTES);
    let stalledSinceMs: number | undefined;
    /** What waited to be sent when that was last looked at. */
    let unsentBytes = 0;
    let isAskedAll = false;
    let isResuming = false;
    let hasEnded = false;

    const stop = (error: unknown) => {
      if (hasEnded) return;
      hasEnded = true;
      frames.ended(waiting);
      stream.removeEventListener('message', onMessage);
      stream.abort(error instanceof Error ? error : new Error(String(error)));
    };
    const attempt = <T>(work: () => T): T | undefined => {
      try {
        return work();
      } catch (error) {
        stop(error);
        return undefined;
      }
    };
    /** False when there is no complete message left. */
    const answerSome = () => {
      const answers: Uint8Array[] = [];
      let isMore = true;
      let sizeBytes = 0;
      const endMs = clock.nowMs() + TURN_MS;
      while (sizeBytes < MAX_BYTES_AT_ONCE && clock.nowMs() < endMs) {
        const message = reader.next();
        isMore = message !== undefined;
        if (message === undefined) break;
        const bytes = answer(from, message);
        if (bytes === undefined) continue;
        answers.push(bytes);
        sizeBytes += bytes.length;
      }
      if (sizeBytes > 0 && !stream.send(concat(answers))) stall();
      return isMore;
    };
    const stall = () => {
      // Each stream is told when its connection has drained; that is not a sign that the peer takes anything of this one.
      const isProgress = stalledSinceMs === undefined || stream.writeBufferLength < unsentBytes;
      if (isProgress) stalledSinceMs = clock.nowMs();
      unsentBytes = stream.writeBufferLength;
      // Not onDrain(): its promise stays resolved from the first time on.
      stream.addEventListener('drain', onDrain, { once: true });
    };
    // What waits is sent first.
    const onDrain = () => queueMicrotask(() => queueMicrotask(goOn));
    const goOn = () => {
      if (hasEnded || stalledSinceMs === undefined) return;
      if (stream.writableNeedsDrain) {
        stall();
        return;
      }
      stalledSinceMs = undefined;
      frames.waits(waiting);
    };
    const waiting: WaitingStream = {
      origin: originOf(connection.remoteAddr),
      stream,
      get heldBytes() {
        return reader.heldBytes;
      },
      get stalledSinceMs() {
        return stalledSinceMs;
      },
      work: () => attempt(work) ?? false,
      reset: () => stop(new Error('There is no room for what waits on this stream')),
    };
    const work = () => {
      if (hasEnded || stalledSinceMs !== undefined) return false;
      const isMore = answerSome();
      if (hasEnded || stream.status !== 'open') return false;
      if (isMore || stalledSinceMs !== undefined) {
        stream.pause();
        return isMore && stalledSinceMs === undefined;
      }
      if (stream.readStatus === 'paused') {
        const heldBytes = reader.heldBytes;
        isResuming = true;
        stream.resume();
        isResuming = false;
        if (reader.heldBytes > heldBytes) return true;
      }
      if (isAskedAll && reader.heldBytes === 0 && stream.readBufferLength === 0) close();
      return false;
    };
    const onMessage = ({ data }: { readonly data: Uint8Array | { subarray(): Uint8Array } }) => {
      attempt(() => reader.add(data instanceof Uint8Array ? data : data.subarray()));
      // What has come meanwhile. A stream that is paused while it is resumed would be neither.
      if (isResuming) return;
      // Most of the time it is one question, which is answered at once.
      if (waiting.work() || (!hasEnded && (reader.heldBytes > 0 || stalledSinceMs !== undefined))) {
        frames.waits(waiting);
      }
    };
    stream.addEventListener('message', onMessage);
    const close = () => void stream.close().catch(stop);
    // The peer has no more questions.
    const onAskedAll = () => {
      isAskedAll = true;
      if (stalledSinceMs === undefined && reader.heldBytes === 0 && stream.readBufferLength === 0) close();
    };
    stream.addEventListener('remoteCloseWrite', onAskedAll, { once: true });
    stream.addEventListener(
      'close',
      () => {
        hasEnded = true;
        frames.ended(waiting);
      },
      { once: true },
    );
  };
}
