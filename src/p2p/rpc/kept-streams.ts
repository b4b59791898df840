import type { Connection, Libp2p, PeerId } from '@libp2p/interface';

import { SLOW_ANSWER_MS } from '../../dht/limits.ts';
import type { NamedPeer } from '../../dht/wire/dht-message.ts';
import type { Clock } from '../../runtime/clock.ts';
import { createKeyedBackoff } from '../../runtime/keyed-backoff.ts';
import { nameOf } from '../peer-names.ts';
import { createKeptStream, type KeptStream } from './kept-stream.ts';
import { StreamLostError } from './request-stream.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
/** Streams kept at a time: as many as there are connections in a cluster that is not very large. */
export const MAX_KEPT_STREAMS = 256;
/** How long a peer is not asked after it did not answer; doubled each time. */
export const SILENCE_INITIAL_MS = SECOND_MS;
/** Longest time that a peer is not asked. */
export const SILENCE_MAX_MS = MINUTE_MS;
/** Silent peers that are remembered. */
const MAX_SILENT_PEERS = 1000;

/** A message with its length in front, and what its answer is. */
export interface Question<T> {
  readonly message: Uint8Array;
  /** Throws when the answer, without its length, makes no sense. */
  readonly parse: (answer: Uint8Array) => T;
}

/** Questions to peers in one protocol, over one stream per peer that is kept for a while. */
export interface KeptStreams extends Disposable {
  /**
   * Asks the peer, which need not be connected. Rejects when it gives no answer in time, or an answer that makes no
   * sense.
   */
  ask<T>(peer: NamedPeer, question: Question<T>): Promise<T>;
  /** True while it makes no sense to wait for the peer: it failed lately, or is slow just now. */
  isSilent(name: string): boolean;
  /** Forgets that the peer was silent: it has just been heard. */
  heard(name: string): void;
  /**
   * There is one more connection to the peer: what is asked from now on goes there. What waits for an answer on an
   * older connection may still get it.
   */
  moved(connection: Connection): void;
}

/** What createKeptStreams needs. */
export interface KeptStreamsDeps {
  readonly libp2p: Pick<Libp2p, 'dial' | 'getConnections'>;
  readonly allowLoopback: boolean;
  /** False for a pending peer. */
  readonly mayAsk: (peer: PeerId) => boolean;
  readonly clock: Pick<Clock, 'nowMs'>;
}

/** Which protocol the streams speak. */
export interface KeptStreamsOptions {
  readonly protocol: string;
  /** How long a peer may take for an answer, in ms. */
  readonly answerTimeoutMs: number;
}

/** A question on a stream of its own costs milliseconds on both sides; on an open stream, a fraction of that. */
export function createKeptStreams(
  { libp2p, allowLoopback, mayAsk, clock }: KeptStreamsDeps,
  { protocol, answerTimeoutMs }: KeptStreamsOptions,
): KeptStreams {
  const stopped = new AbortController();
  /** The streams that questions go to, by peer. The peer that was asked last comes last. */
  const streams = new Map<string, KeptStream>();
  /** All streams that have not ended, the retired streams among them. */
  const living = new Set<KeptStream>();
  const silences = createKeyedBackoff(() => clock.nowMs(), {
    initialMs: SILENCE_INITIAL_MS,
    maxMs: SILENCE_MAX_MS,
    maxKeys: MAX_SILENT_PEERS,
  });

  const ask = async <T>(peer: NamedPeer, question: Question<T>): Promise<T> => {
    const name = peer.id.toHex();
    let kept: KeptStream | undefined;
    const askOnce = async () => {
      stopped.signal.throwIfAborted();
      kept = streamTo(peer, name);
      return askOn(kept, question);
    };
    try {
      const answer = await askOnce().catch(async (error: unknown) => {
        // The other side may have given up a stream that was kept. A new stream tells whether the peer is there.
        if (!(error instanceof StreamLostError)) throw error;
        return askOnce();
      });
      silences.forget(name);
      return answer;
    } catch (error) {
      const saysNothing = stopped.signal.aborted || kept?.state === 'retired';
      // All questions on one stream fail at once: that is one failure.
      if (!saysNothing) silences.start(name);
      throw error;
    }
  };
  const askOn = async <T>(kept: KeptStream, { message, parse }: Question<T>): Promise<T> => {
    const answer = await kept.ask(message);
    try {
      return parse(answer);
    } catch (error) {
      kept.end(error as Error);
      throw error;
    }
  };
  const streamTo = (peer: NamedPeer, name: string): KeptStream => {
    const kept = streams.get(name) ?? startStream(peer, name);
    streams.delete(name);
    streams.set(name, kept);
    return kept;
  };
  const startStream = (peer: NamedPeer, name: string): KeptStream => {
    makeRoom();
    const onEnd = () => {
      living.delete(kept);
      if (streams.get(name) === kept) streams.delete(name);
    };
    const kept = createKeptStream(
      { libp2p, allowLoopback, mayAsk, clock, onEnd },
      { peer, protocol, answerTimeoutMs },
      stopped.signal,
    );
    living.add(kept);
    return kept;
  };
  /** Ends the stream that was idle for longest when there are too many. */
  const makeRoom = () => {
    if (streams.size < MAX_KEPT_STREAMS) return;
    for (const kept of streams.values()) {
      if (kept.state !== 'open' || kept.waitingSinceMs !== undefined) continue;
      kept.end(new StreamLostError('Others are needed more'));
      return;
    }
  };

  return {
    ask,
    isSilent(name) {
      const waitingSinceMs = streams.get(name)?.waitingSinceMs;
      if (waitingSinceMs !== undefined && clock.nowMs() - waitingSinceMs > SLOW_ANSWER_MS) return true;
      return silences.isWaiting(name);
    },
    heard: (name) => silences.forget(name),
    moved(connection) {
      const name = nameOf(connection.remotePeer);
      silences.forget(name);
      const kept = streams.get(name);
      kept?.moved(connection);
      if (kept?.state === 'retired') streams.delete(name);
    },
    [Symbol.dispose]() {
      stopped.abort(new Error('The router has stopped'));
      for (const kept of living) kept.end(stopped.signal.reason as Error);
    },
  };
}
