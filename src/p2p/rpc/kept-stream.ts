import type { Connection, Libp2p, PeerId, Stream } from '@libp2p/interface';

import type { NamedPeer } from '../../dht/wire/dht-message.ts';
import type { Clock } from '../../runtime/clock.ts';
import { latestConnection } from '../connections/latest-connection.ts';
import { DIAL_TIMEOUT_MS } from '../limits.ts';
import { peerOf } from '../peer-names.ts';
import { dialTarget } from './dial-target.ts';
import { createRequestStream, type RequestStream, StreamLostError } from './request-stream.ts';

const SECOND_MS = 1000;
/** A stream to a peer is kept for this long after the last question. Go's DHT gives it up after a minute. */
export const KEEP_STREAM_MS = 50 * SECOND_MS;
/**
 * Connections on which a stream is tried to be opened, when the first is lost or a newer connection comes meanwhile.
 */
const MAX_STREAM_TRIES = 3;
/** Questions on the way to one peer: as many as it answers within a second. */
const MAX_WAITING_QUESTIONS = 1024;
/** Most bytes of an answer: 5,000 providers of a popular key have half of that. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/**
 * - `dialling`: there is no connection to the peer yet.
 * - `opening`: the protocol is being agreed on, on one of its connections.
 * - `open`: questions are asked on it.
 * - `retired`: the peer has a newer connection. Nothing more is asked here, and a failure says nothing of the peer.
 *   Final: the stream ends when what waits on it is answered, or is not answered in time.
 * - `ended`: it could not be opened, or has ended.
 */
export type KeptStreamState = State['name'];

type State =
  | { readonly name: 'dialling' }
  | { readonly name: 'opening'; readonly connection: Connection; readonly stop: AbortController }
  | {
      readonly name: 'open' | 'retired';
      readonly connection: Connection;
      readonly stream: RequestStream;
    }
  | { readonly name: 'ended' };

/** A stream to one peer that is kept for one question after the other, from before it is open until it ends. */
export interface KeptStream {
  readonly state: KeptStreamState;
  /**
   * Since when the peer owes an answer, or the opening of the stream, in ms of the clock; undefined while it owes
   * nothing.
   */
  readonly waitingSinceMs: number | undefined;
  /** Asks when the stream is open, see RequestStream.ask. Rejects with why it cannot be opened. */
  ask(message: Uint8Array): Promise<Uint8Array>;
  /**
   * There is one more connection to the peer. A stream that is not open yet is opened there; an open stream on another
   * connection is retired.
   */
  moved(connection: Connection): void;
  /** Ends the stream if it is open; what is not answered by then rejects with the cause. */
  end(cause: Error): void;
}

/** What createKeptStream needs. */
export interface KeptStreamDeps {
  readonly libp2p: Pick<Libp2p, 'dial' | 'getConnections'>;
  readonly allowLoopback: boolean;
  /** False for a pending peer. */
  readonly mayAsk: (peer: PeerId) => boolean;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** Called once, when the stream could not be opened or has ended. */
  readonly onEnd: () => void;
}

/** Which peer is asked, in which protocol, and how long it may take for an answer, in ms. */
export interface KeptStreamTarget {
  readonly peer: NamedPeer;
  readonly protocol: string;
  readonly answerTimeoutMs: number;
}

/**
 * Starts to open a stream to the peer, which need not be connected. Once the signal aborts it is not opened any more.
 */
export function createKeptStream(
  { libp2p, allowLoopback, mayAsk, clock, onEnd }: KeptStreamDeps,
  { peer, protocol, answerTimeoutMs }: KeptStreamTarget,
  signal: AbortSignal,
): KeptStream {
  const startedMs = clock.nowMs();
  /** Resolves to a connection to the peer that it, or another part of this node, has made. */
  const made = Promise.withResolvers<Connection>();
  let state: State = { name: 'dialling' };

  const open = async (): Promise<RequestStream> => {
    const id = peerOf(peer.id);
    const latest = latestConnection(libp2p, id);
    const timeoutMs = latest === undefined ? DIAL_TIMEOUT_MS : answerTimeoutMs;
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const first = latest ?? (await connect(limit));
    if (!mayAsk(id)) throw new Error('The peer is no member of the cluster');
    const { connection, stream: agreed } = await openOn(first, limit);
    const stream = createRequestStream(agreed, {
      maxAnswerBytes: MAX_ANSWER_BYTES,
      maxWaiting: MAX_WAITING_QUESTIONS,
      answerTimeoutMs,
      idleMs: KEEP_STREAM_MS,
      clock,
      onEnd: ended,
    });
    // The stream may have ended before it was listened to.
    if (stream.isOpen) state = { name: 'open', connection, stream };
    if (signal.aborted) stream.end(signal.reason as Error);
    return stream;
  };
  const connect = async (limit: AbortSignal): Promise<Connection> => {
    const dialled = libp2p.dial(dialTarget(peer, libp2p, allowLoopback), { signal: limit });
    // The dial may go on when the peer has connected by itself.
    dialled.catch(() => {});
    return Promise.race([dialled, made.promise]);
  };
  /** Opens a stream on the connection, or on another when that ends, or a newer connection comes, meanwhile. */
  const openOn = async (
    first: Connection,
    limit: AbortSignal,
  ): Promise<{ readonly connection: Connection; readonly stream: Stream }> => {
    let connection = first;
    for (let tries = 1; ; tries++) {
      const stop = new AbortController();
      state = { name: 'opening', connection, stop };
      try {
        const either = AbortSignal.any([limit, stop.signal]);
        return { connection, stream: await connection.newStream(protocol, { signal: either }) };
      } catch (error) {
        const latest = latestConnection(libp2p, connection.remotePeer);
        const isElsewhere = latest !== undefined && latest !== connection;
        if (limit.aborted || tries === MAX_STREAM_TRIES || !isElsewhere) throw error;
        connection = latest;
      }
    }
  };
  const ended = () => {
    if (state.name !== 'retired') state = { name: 'ended' };
    onEnd();
  };
  const opened = open();
  opened.catch(ended);

  return {
    get state() {
      return state.name;
    },
    get waitingSinceMs() {
      if (state.name === 'ended') return undefined;
      return state.name === 'dialling' || state.name === 'opening' ? startedMs : state.stream.waitingSinceMs;
    },
    async ask(message) {
      const stream = await opened;
      return stream.ask(message);
    },
    moved(connection) {
      const why = new StreamLostError('The peer has a newer connection');
      if (state.name === 'dialling') made.resolve(connection);
      else if (state.name === 'opening' && state.connection !== connection) state.stop.abort(why);
      else if (state.name === 'open' && state.connection !== connection) {
        const { stream } = state;
        state = { ...state, name: 'retired' };
        if (stream.waitingSinceMs === undefined) stream.end(why);
      }
    },
    end(cause) {
      if (state.name === 'open' || state.name === 'retired') state.stream.end(cause);
    },
  };
}
