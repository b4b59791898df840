import type { Connection, Libp2p, PeerId } from '@libp2p/interface';
import { peerIdFromMultihash } from '@libp2p/peer-id';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import { decode as decodeMultihash } from 'multiformats/hashes/digest';

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
import { lruSet } from '../../runtime/lru-set.ts';
import { latestConnection } from '../connections/latest-connection.ts';
import { ANSWER_TIMEOUT_MS, DIAL_TIMEOUT_MS, KAD_PROTOCOL } from '../limits.ts';
import { parseAddress, peerIps } from '../addresses/peer-addresses.ts';
import { createRequestStream, type RequestStream, StreamLostError } from './request-stream.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
/** A stream to a peer is kept for this long after the last question. Go's DHT gives it up after a minute. */
export const KEEP_STREAM_MS = 50 * SECOND_MS;
/** Streams kept at a time: as many as there are connections in a cluster that is not very large. */
export const MAX_KEPT_STREAMS = 256;
/** Connections on which it is tried to open one, when the first is lost or a newer one comes meanwhile. */
const MAX_STREAM_TRIES = 3;
/** Questions on the way to one peer: as many as it answers within a second. */
const MAX_WAITING_QUESTIONS = 1024;
/** Most bytes of an answer: 5,000 providers of a popular key have half of that. */
const MAX_ANSWER_BYTES = 1024 * 1024;
/** How long a peer is not asked after it did not answer; doubled each time. */
export const SILENCE_INITIAL_MS = SECOND_MS;
/** Longest time that it is not asked. */
export const SILENCE_MAX_MS = MINUTE_MS;
/** Peers that are remembered for it. */
const MAX_SILENT_PEERS = 1000;

/** Asks peers who provides what, over one stream per peer that is kept for a while. */
export interface RpcClient extends Disposable {
  /** Asks the peer, which need not be connected. Rejects when it gives no answer in time, or one that makes no sense. */
  ask(peer: NamedPeer, multihash: Uint8Array): Promise<ProvidersAnswer>;
  /** Asks the peer for those that it knows closest to the place of the key. */
  findNode(peer: NamedPeer, key: Uint8Array): Promise<readonly NamedPeer[]>;
  /** Connects to a peer at the addresses that another one named. Rejects when it is not there. */
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
   * There is one more connection to the peer: what is asked from now on goes there. What waits for an answer on an older
   * one may still get it.
   */
  moved(connection: Connection): void;
}

/** What createRpcClient needs. */
export interface RpcClientDeps {
  readonly libp2p: Pick<Libp2p, 'dial' | 'getConnections'>;
  readonly allowLoopback: boolean;
  /** False for a peer that is here as a pending peer only. Default: all may be asked. */
  readonly mayAsk?: (peer: PeerId) => boolean;
}

interface Silence {
  readonly untilMs: number;
  readonly nextMs: number;
}

/** A message, and what its answer is. */
interface Question<T> {
  readonly message: Uint8Array;
  /** Throws when the answer makes no sense. */
  readonly parse: (answer: Uint8Array) => T;
}

/** A stream that is open, or will be. */
interface KeptStream {
  readonly opening: Promise<RequestStream>;
  readonly sinceMs: number;
  /** Resolves to a connection to the peer, whoever made it. */
  readonly made: PromiseWithResolvers<Connection>;
  /** Where it is, or will be; undefined while the peer is dialled. */
  connection: Connection | undefined;
  /** Gives up opening it there. */
  stop: AbortController;
  opened: RequestStream | undefined;
  /** There is a newer connection: nothing more is asked on it, and that it fails says nothing of the peer. */
  isRetired: boolean;
}

/** A GET_PROVIDERS on a stream of its own costs milliseconds on both sides; on one that is open, a fraction of that. */
export function createRpcClient({ libp2p, allowLoopback, mayAsk = () => true }: RpcClientDeps): RpcClient {
  const stopped = new AbortController();
  /** The peer that was asked last comes last. */
  const streams = new Map<string, KeptStream>();
  /** Those that are retired among them. */
  const open = new Set<KeptStream>();
  const silences = new Map<string, Silence>();

  const connectionTo = async (peer: NamedPeer, kept: KeptStream, signal: AbortSignal) => {
    const target = targetOf(peer, libp2p, allowLoopback);
    const dialled = libp2p.dial(target, { signal });
    // It may go on when the peer has connected by itself.
    dialled.catch(() => {});
    return Promise.race([dialled, kept.made.promise]);
  };
  /** Opens a stream on the connection; on another one when that ends, or a newer one comes, meanwhile. */
  const openOn = async (first: Connection, kept: KeptStream, signal: AbortSignal) => {
    let connection = first;
    for (let tries = 1; ; tries++) {
      kept.connection = connection;
      kept.stop = new AbortController();
      try {
        return await connection.newStream(KAD_PROTOCOL, {
          signal: AbortSignal.any([signal, kept.stop.signal]),
        });
      } catch (error) {
        const latest = latestConnection(libp2p, connection.remotePeer);
        const isElsewhere = latest !== undefined && latest !== connection;
        if (signal.aborted || tries === MAX_STREAM_TRIES || !isElsewhere) throw error;
        connection = latest;
      }
    }
  };
  const openStream = async (peer: NamedPeer, kept: KeptStream, onEnd: () => void) => {
    const id = peerIdFromMultihash(decodeMultihash(peer.id));
    const latest = latestConnection(libp2p, id);
    const timeoutMs = latest === undefined ? DIAL_TIMEOUT_MS : ANSWER_TIMEOUT_MS;
    const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(timeoutMs)]);
    const connection = latest ?? (await connectionTo(peer, kept, signal));
    if (!mayAsk(id)) throw new Error('The peer is no member of the cluster');
    const stream = createRequestStream(await openOn(connection, kept, signal), {
      maxAnswerBytes: MAX_ANSWER_BYTES,
      maxWaiting: MAX_WAITING_QUESTIONS,
      answerTimeoutMs: ANSWER_TIMEOUT_MS,
      idleMs: KEEP_STREAM_MS,
      onEnd,
    });
    if (stopped.signal.aborted) stream.end(stopped.signal.reason as Error);
    return stream;
  };
  const startStream = (peer: NamedPeer, id: string): KeptStream => {
    const forget = () => {
      open.delete(kept);
      if (streams.get(id) === kept) streams.delete(id);
    };
    const opening = Promise.withResolvers<RequestStream>();
    const kept: KeptStream = {
      opening: opening.promise,
      sinceMs: performance.now(),
      made: Promise.withResolvers(),
      connection: undefined,
      stop: new AbortController(),
      opened: undefined,
      isRetired: false,
    };
    open.add(kept);
    openStream(peer, kept, forget).then((stream) => {
      kept.opened = stream;
      opening.resolve(stream);
    }, opening.reject);
    opening.promise.catch(forget);
    return kept;
  };
  const streamTo = (peer: NamedPeer, id: string): KeptStream => {
    let kept = streams.get(id);
    streams.delete(id);
    if (kept === undefined) {
      makeRoom();
      kept = startStream(peer, id);
    }
    streams.set(id, kept);
    return kept;
  };
  const makeRoom = () => {
    if (streams.size < MAX_KEPT_STREAMS) return;
    for (const { opened } of streams.values()) {
      if (opened === undefined || opened.waitingSinceMs !== undefined) continue;
      opened.end(new StreamLostError('Others are needed more'));
      return;
    }
  };
  const noteFailure = (id: string) => {
    const before = silences.get(id);
    // All questions on one stream fail at once: that is one failure.
    if (before !== undefined && performance.now() < before.untilMs) return;
    const ms = before?.nextMs ?? SILENCE_INITIAL_MS;
    const silence = { untilMs: performance.now() + ms, nextMs: Math.min(2 * ms, SILENCE_MAX_MS) };
    lruSet(silences, id, silence, MAX_SILENT_PEERS);
  };
  const askOn = async <T>(kept: KeptStream, { message, parse }: Question<T>) => {
    const stream = await kept.opening;
    const answer = await stream.ask(message);
    try {
      return parse(answer);
    } catch (error) {
      stream.end(error as Error);
      throw error;
    }
  };
  const ask = async <T>(peer: NamedPeer, question: Question<T>) => {
    const id = peer.id.toHex();
    let kept: KeptStream | undefined;
    const askOnce = async () => {
      stopped.signal.throwIfAborted();
      kept = streamTo(peer, id);
      return askOn(kept, question);
    };
    try {
      const answer = await askOnce().catch(async (error: unknown) => {
        // The other side may have given up a stream that was kept. A new one tells whether the peer is there.
        if (!(error instanceof StreamLostError)) throw error;
        return askOnce();
      });
      silences.delete(id);
      return answer;
    } catch (error) {
      if (!stopped.signal.aborted && kept?.isRetired !== true) noteFailure(id);
      throw error;
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
      await libp2p.dial(targetOf(peer, libp2p, allowLoopback), { signal });
    },
    deliver: async (peer, messages) =>
      ask(peer, { message: concat([messages, encodePing()]), parse: parsePong }),
    isSilent(peer) {
      const id = peer.id.toHex();
      const kept = streams.get(id);
      const nowMs = performance.now();
      const waitingSinceMs =
        kept !== undefined && kept.opened === undefined ? kept.sinceMs : kept?.opened?.waitingSinceMs;
      if (waitingSinceMs !== undefined && nowMs - waitingSinceMs > SLOW_ANSWER_MS) return true;
      return nowMs < (silences.get(id)?.untilMs ?? 0);
    },
    heard(peer) {
      silences.delete(peer.toMultihash().bytes.toHex());
    },
    moved(connection) {
      const id = connection.remotePeer.toMultihash().bytes.toHex();
      silences.delete(id);
      const kept = streams.get(id);
      if (kept === undefined || kept.connection === connection) return;
      const why = new StreamLostError('The peer has a newer connection');
      if (kept.connection === undefined) kept.made.resolve(connection);
      else if (kept.opened === undefined) kept.stop.abort(why);
      else {
        kept.isRetired = true;
        streams.delete(id);
        if (kept.opened.waitingSinceMs === undefined) kept.opened.end(why);
      }
    },
    [Symbol.dispose]() {
      stopped.abort(new Error('The router has stopped'));
      for (const { opened } of open) opened?.end(stopped.signal.reason as Error);
    },
  };
}

function parsePong(answer: Uint8Array): void {
  parseAnswer(answer, { type: MESSAGE_TYPES.ping, key: new Uint8Array(0) }, 0);
}

/**
 * What to dial: the peer by its ID where it is connected or known, else the addresses that another peer named.
 * libp2p checks that the ID answers there.
 */
function targetOf(
  { id, addresses }: NamedPeer,
  libp2p: Pick<Libp2p, 'getConnections'>,
  allowLoopback: boolean,
): PeerId | Multiaddr[] {
  const peer = peerIdFromMultihash(decodeMultihash(id));
  if (addresses.length === 0 || libp2p.getConnections(peer).length > 0) return peer;
  const usable = addresses.flatMap((bytes) => {
    const address = parseAddress(bytes);
    if (address === undefined || peerIps([address], allowLoopback).length === 0) return [];
    // Only the IP and the port: what else it says (a relay, another ID) is not followed.
    const [ip, tcp] = address.getComponents();
    return [multiaddr(`/${ip?.name}/${ip?.value}/tcp/${tcp?.value}/p2p/${peer.toString()}`)];
  });
  if (usable.length === 0) throw new Error('The peer was named without an address that can be dialled');
  return usable;
}
