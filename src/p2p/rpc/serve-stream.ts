import type { Connection, Stream } from '@libp2p/interface';

import type { DhtNode } from '../../dht/dht-node-contract.ts';
import { MAX_MESSAGE_BYTES } from '../../dht/limits.ts';
import { createMessageReader, type MessageReader } from '../../dht/wire/message-reader.ts';
import { concat } from '../../dht/wire/protocol-buffers.ts';
import type { Clock } from '../../runtime/clock.ts';
import { originOf } from '../addresses/peer-addresses.ts';
import { idOf } from '../peer-names.ts';
import type { InboundFrames, WaitingStream } from './inbound-frames.ts';
import { createSendStall } from './send-stall.ts';

/**
 * Bytes of answers before it is looked at whether the peer takes them. A question has 40 bytes and its answer up to
 * 10,000: what fits into one frame of questions would be answered with 17 MB.
 */
const MAX_BYTES_AT_ONCE = 32 * 1024;
/** How long messages of one stream are handled before others have their turn, in ms. */
const TURN_MS = 4;

/** What serveStream needs. */
export interface ServeStreamDeps {
  readonly answer: DhtNode['answer'];
  readonly frames: Pick<InboundFrames, 'waits' | 'ended'>;
  readonly clock: Pick<Clock, 'nowMs'>;
}

/** Answers what the peer asks on the stream until it ends, see createRpcServer. */
export function serveStream(
  stream: Stream,
  connection: Pick<Connection, 'remotePeer' | 'remoteAddr'>,
  { answer, frames, clock }: ServeStreamDeps,
): void {
  const from = idOf(connection.remotePeer);
  const reader = createMessageReader(MAX_MESSAGE_BYTES);
  const stall = createSendStall(stream, clock, () => {
    if (!hasEnded) frames.waits(waiting);
  });
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
  /** True when there is more to do at once. */
  const work = () => {
    if (hasEnded || stall.sinceMs !== undefined) return false;
    const { answers, isMore } = answerSome(reader, clock, (message) => answer(from, message));
    if (answers.length > 0 && !stream.send(concat(answers))) stall.begin();
    if (hasEnded || stream.status !== 'open') return false;
    if (isMore || stall.sinceMs !== undefined) {
      stream.pause();
      return isMore && stall.sinceMs === undefined;
    }
    if (stream.readStatus === 'paused') {
      const heldBytes = reader.heldBytes;
      isResuming = true;
      stream.resume();
      isResuming = false;
      if (reader.heldBytes > heldBytes) return true;
    }
    closeIfDone();
    return false;
  };
  /** The peer has no more questions, and all are answered. */
  const closeIfDone = () => {
    const isDone = isAskedAll && reader.heldBytes === 0 && stream.readBufferLength === 0;
    if (isDone && stall.sinceMs === undefined) stream.close().catch(stop);
  };
  const waiting: WaitingStream = {
    origin: originOf(connection.remoteAddr),
    stream,
    get heldBytes() {
      return reader.heldBytes;
    },
    get stalledSinceMs() {
      return stall.sinceMs;
    },
    work: () => attempt(work) ?? false,
    reset: () => stop(new Error('There is no room for what waits on this stream')),
  };
  const onMessage = ({ data }: { readonly data: Uint8Array | { subarray(): Uint8Array } }) => {
    attempt(() => reader.add(data instanceof Uint8Array ? data : data.subarray()));
    // What has come meanwhile. A stream that is paused while it is resumed would be neither.
    if (isResuming) return;
    // Most of the time it is a single question, which is answered at once.
    if (waiting.work() || (!hasEnded && (reader.heldBytes > 0 || stall.sinceMs !== undefined))) {
      frames.waits(waiting);
    }
  };
  const onAskedAll = () => {
    isAskedAll = true;
    closeIfDone();
  };
  const onClose = () => {
    hasEnded = true;
    frames.ended(waiting);
  };
  stream.addEventListener('message', onMessage);
  stream.addEventListener('remoteCloseWrite', onAskedAll, { once: true });
  stream.addEventListener('close', onClose, { once: true });
}

/** Answers as many messages as one turn has room for. `isMore` is false when there is no complete message left. */
function answerSome(
  reader: Pick<MessageReader, 'next'>,
  clock: Pick<Clock, 'nowMs'>,
  answer: (message: Uint8Array) => Uint8Array | undefined,
): { readonly answers: readonly Uint8Array[]; readonly isMore: boolean } {
  const answers: Uint8Array[] = [];
  let sizeBytes = 0;
  const endMs = clock.nowMs() + TURN_MS;
  while (sizeBytes < MAX_BYTES_AT_ONCE && clock.nowMs() < endMs) {
    const message = reader.next();
    if (message === undefined) return { answers, isMore: false };
    const bytes = answer(message);
    if (bytes === undefined) continue;
    answers.push(bytes);
    sizeBytes += bytes.length;
  }
  return { answers, isMore: true };
}
