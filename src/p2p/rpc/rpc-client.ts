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
import { type Clock, systemClock } from '../../runtime/clock.ts';
import { ANSWER_TIMEOUT_MS, DIAL_TIMEOUT_MS, KAD_PROTOCOL } from '../limits.ts';
import { nameOf } from '../peer-names.ts';
import { dialTarget } from './dial-target.ts';
import { createKeptStreams } from './kept-streams.ts';

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

/** Makes the client of the DHT's protocol. */
export function createRpcClient({
  libp2p,
  allowLoopback,
  mayAsk = () => true,
  clock = systemClock,
}: RpcClientDeps): RpcClient {
  const streams = createKeptStreams(
    { libp2p, allowLoopback, mayAsk, clock },
    { protocol: KAD_PROTOCOL, answerTimeoutMs: ANSWER_TIMEOUT_MS },
  );
  const stopped = new AbortController();

  return {
    ask: async (peer, multihash) =>
      streams.ask(peer, {
        message: encodeGetProviders(multihash),
        parse: (answer) => parseProvidersAnswer(answer, multihash),
      }),
    findNode: async (peer, key) => {
      const question = { type: MESSAGE_TYPES.findNode, key };
      return streams.ask(peer, {
        message: encodeMessage(question),
        parse: (answer) => parseAnswer(answer, question, 0).closer.flatMap((each) => parsePeer(each) ?? []),
      });
    },
    async connect(peer) {
      const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(DIAL_TIMEOUT_MS)]);
      await libp2p.dial(dialTarget(peer, libp2p, allowLoopback), { signal });
    },
    deliver: async (peer, messages) =>
      streams.ask(peer, { message: concat([messages, encodePing()]), parse: parsePong }),
    isSilent: (peer) => streams.isSilent(peer.id.toHex()),
    heard: (peer) => streams.heard(nameOf(peer)),
    moved: (connection) => streams.moved(connection),
    [Symbol.dispose]() {
      stopped.abort(new Error('The router has stopped'));
      streams[Symbol.dispose]();
    },
  };
}

function parsePong(answer: Uint8Array): void {
  parseAnswer(answer, { type: MESSAGE_TYPES.ping, key: new Uint8Array(0) }, 0);
}
