import { yamux } from '@chainsafe/libp2p-yamux';
import type { StreamMuxerFactory } from '@libp2p/interface';

import { type FrameBytes, gatherFrames } from './gather-frames.ts';
import { spareWindowUpdates } from './spare-window-updates.ts';

/** Streams that a peer may have open on one connection, of all protocols. */
const MAX_STREAMS_PER_CONNECTION = 32;
/** Of these, streams on which no protocol has been agreed on yet. */
const MAX_UNTOLD_STREAMS = 16;
/** Bytes on such a stream: names of protocols, and the first message behind them. */
const MAX_UNTOLD_BYTES = 64 * 1024;
/** Bytes that wait to be written to a peer that does not read: our own messages wait for room. */
const MAX_UNSENT_BYTES = 1024 * 1024;

/** Bytes of a frame's head, where its type stands, that of data, and where its length stands (yamux specification). */
const [HEAD_BYTES, TYPE_AT, DATA, LENGTH_AT] = [12, 1, 0, 8];
/** Most bytes of a frame: the window that a stream begins with, which is never larger here. */
const MAX_FRAME_BYTES = 256 * 1024;

/** The parts of @chainsafe/libp2p-yamux 8 and @libp2p/utils 7 that their types hide. */
interface Muxer {
  readonly decoder: {
    readonly buffer: { readonly byteLength: number; get(index: number): number };
    readFrame(): unknown;
  };
  readonly streams: readonly UntoldStream[];
  readonly maConn: { readonly writeBufferLength: number; abort(error: Error): void };
  send(data: FrameBytes): boolean;
  handleStreamMessage(frame: Frame): void;
}
interface Frame {
  readonly header: { readonly type: number; readonly streamID: number; readonly length: number };
}
interface UntoldStream {
  readonly streamId: number;
  readonly direction: string;
  /** Empty until both ends have agreed on a protocol. */
  readonly protocol: string;
  abort(error: Error): void;
}

/**
 * Yamux without its ways to make this node hold what it did not ask for. A frame that says that gigabytes follow is
 * kept until they are there. Answers to frames that open or probe pile up while the peer does not read them. A stream
 * without a protocol takes 4 MiB. Each of these ends the stream or the connection here.
 */
export function guardedYamux(): () => StreamMuxerFactory {
  spareWindowUpdates();
  const create = yamux({
    // The failure detector finds out which peers are there, at a fraction of what libp2p's pings cost.
    enableKeepAlive: false,
    maxInboundStreams: MAX_STREAMS_PER_CONNECTION,
    streamOptions: { maxReadBufferLength: 2 * MAX_FRAME_BYTES },
  });
  return () => {
    const factory = create();
    const createStreamMuxer = factory.createStreamMuxer.bind(factory);
    factory.createStreamMuxer = (connection) => {
      const muxer = createStreamMuxer(connection);
      guard(muxer as unknown as Muxer);
      return muxer;
    };
    return factory;
  };
}

function guard(muxer: Muxer): void {
  const { decoder } = muxer;
  const readFrame = decoder.readFrame.bind(decoder);
  decoder.readFrame = () => {
    const { buffer } = decoder;
    if (buffer.byteLength >= HEAD_BYTES && buffer.get(TYPE_AT) === DATA) {
      let length = 0;
      for (let at = LENGTH_AT; at < HEAD_BYTES; at++) length = length * 256 + buffer.get(at);
      if (length > MAX_FRAME_BYTES) throw new Error(`Cannot take a frame of ${length} bytes`);
    }
    return readFrame();
  };
  const send = muxer.send.bind(muxer);
  muxer.send = gatherFrames((data) => {
    const canSendMore = send(data);
    if (!canSendMore && muxer.maConn.writeBufferLength > MAX_UNSENT_BYTES) {
      // Not within the frame that this is a part of.
      queueMicrotask(() => muxer.maConn.abort(new Error('The peer does not read')));
    }
    return canSendMore;
  });
  /** Bytes that came on streams without a protocol. */
  const untold = new Map<number, number>();
  const handleStreamMessage = muxer.handleStreamMessage.bind(muxer);
  muxer.handleStreamMessage = (frame) => {
    handleStreamMessage(frame);
    const { streamID, length, type } = frame.header;
    const stream = muxer.streams.findLast(({ streamId }) => streamId === streamID);
    if (stream === undefined || stream.protocol !== '') {
      untold.delete(streamID);
      return;
    }
    const bytes = (untold.get(streamID) ?? 0) + (type === DATA ? length : 0);
    untold.set(streamID, bytes);
    if (
      bytes > MAX_UNTOLD_BYTES ||
      (stream.direction === 'inbound' && countUntold(muxer) > MAX_UNTOLD_STREAMS)
    ) {
      untold.delete(streamID);
      stream.abort(new Error('The stream does not get to its protocol'));
    }
  };
}

function countUntold({ streams }: Muxer): number {
  return streams.reduce(
    (sum, { protocol, direction }) => sum + Number(protocol === '' && direction === 'inbound'),
    0,
  );
}
