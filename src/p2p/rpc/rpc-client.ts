import type { Connection, Libp2p, PeerId } from '@libp2p/interface';

import { encodePing } from '../../dht/wire/add-provider-message.ts';
import {
  encodeMessage,
  MESSAGE_TYPES,
  type NamedPeer,
  parseAnswer,
  parsePeer,
} from '../../dht/wire/dht-message.ts';
import {
  encodeGetProviders,
  parseProvidersAnswer,
  type ProvidersAnswer,
} from '../../dht/wire/get-providers-message.ts';
import { concat } from '../../dht/wire/protocol-buffers.ts';
import { SLOW_ANSWER_MS } from '../../dht/limits.ts';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import { createKeyedBackoff } from '../../runtime/keyed-backoff.ts';
import { DIAL_TIMEOUT_MS } from '../limits.ts';
import { nameOf } from '../peer-names.ts';
import { dialTarget } from './dial-target.ts';
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

/** Asks peers for providers and for other peers, over one stream per peer that is kept for a while. */
export interface RpcClient extends Disposable {
  /**
   * Asks the peer, which need not be connected. Rejects when it gives no answer in time, or an answer that makes no
   * sense.
   */
  ask(peer: NamedPeer, multihash: Uint8Array): Promise<ProvidersAnswer>;
  /** Asks the peer for the peers that it knows closest to the position of the key. */
  findNode(peer: NamedPeer, key: Uint8Array): Promise<readonly NamedPeer[]>;
  /** Connects to a peer at the addresses that another peer named. Rejects when it is not there. */
  connect(peer: NamedPeer): Promise<void>;
  /**
   * Sends the peer messages that have no answer, with a PING behind them, each with its length in front. Resolves when
   * that is answered: then all of them were taken.
   */
  deliver(peer: NamedPeer, messages: Uint8Array): Promise<void>;
  /** True while it makes no sense to wait for the peer: it failed lately, or is slow just now. */
  isSilent(peer: NamedPeer): boolean;
  /** Forgets that the peer was silent: it has just been heard. */
  heard(peer: PeerId): void;
  /**
   * There is one more connection to the peer: what is asked from now on goes there. What waits for an answer on an
   * older connection may still get it.
   */
  moved(connection: Connection): void;
}

/** What createRpcClient needs. */
export interface RpcClientDeps {
  readonly libp2p: Pick<Libp2p, 'dial' | 'getConnections'>;
  readonly allowLoopback: boolean;
  /** False for a pending peer. Default: all peers may be asked. */
  readonly mayAsk?: (peer: PeerId) => boolean;
  /** Default: the machine's. */
  readonly clock?: Pick<Clock, 'nowMs'>;
}

/** A message, and what its answer is. */
interface Question<T> {
  readonly message: Uint8Array;
  /** Throws when the answer makes no sense. */
  readonly parse: (answer: Uint8Array) => T;
}

/** A GET_PROVIDERS on a stream of its own costs milliseconds on both sides; on an open stream, a fraction of that. */
export function createRpcClient({
  libp2p,
  allowLoopback,
  mayAsk = () => true,
  clock = systemClock,
}: RpcClientDeps): RpcClient {
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
    const kept = createKeptStream({ libp2p, allowLoopback, mayAsk, clock, onEnd }, peer, stopped.signal);
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
    ask: async (peer, multihash) =>
      ask(peer, {
        message: encodeGetProviders(multihash),
        parse: (answer) => parseProvidersAnswer(answer, multihash),
      }),
    findNode: async (peer, key) => {
      const question = { type: MESSAGE_TYPES.findNode, key };
      return ask(peer, {
        message: encodeMessage(question),
        parse: (answer) => parseAnswer(answer, question, 0).closer.flatMap((each) => parsePeer(each) ?? []),
      });
    },
    async connect(peer) {
      const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(DIAL_TIMEOUT_MS)]);
      await libp2p.dial(dialTarget(peer, libp2p, allowLoopback), { signal });
    },
    deliver: async (peer, messages) =>
      ask(peer, { message: concat([messages, encodePing()]), parse: parsePong }),
    isSilent(peer) {
      const name = peer.id.toHex();
      const waitingSinceMs = streams.get(name)?.waitingSinceMs;
      if (waitingSinceMs !== undefined && clock.nowMs() - waitingSinceMs > SLOW_ANSWER_MS) return true;
      return silences.isWaiting(name);
    },
    heard: (peer) => silences.forget(nameOf(peer)),
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

function parsePong(answer: Uint8Array): void {
  parseAnswer(answer, { type: MESSAGE_TYPES.ping, key: new Uint8Array(0) }, 0);
}
