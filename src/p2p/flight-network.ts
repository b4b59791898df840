import type { DhtNode } from '../dht/dht-node-contract.ts';
import type { Provider } from '../dht/lookup/provider-lookups-contract.ts';
import type { NamedPeer } from '../dht/wire/dht-message.ts';
import { MessageError } from '../dht/wire/protocol-buffers.ts';
import type { FlightQuestion, FlightReport } from '../flights/flight-messages.ts';
import type { FlightHandler, FlightNetwork } from '../flights/flight-network.ts';
import { createReportQueue } from '../flights/report-queue.ts';
import type { Logger } from '../observe/log.ts';
import type { Peer } from '../routing/router.ts';
import { abortable } from '../runtime/abortable.ts';
import type { Clock } from '../runtime/clock.ts';
import { lruSet } from '../runtime/lru-set.ts';
import {
  encodeFlightAnswer,
  encodeFlightQuestion,
  encodeFlightReport,
  parseFlightAnswer,
  parseFlightMessage,
} from './rpc/flight-message.ts';
import type { KeptStreams } from './rpc/kept-streams.ts';

/** What createFlightNetwork needs. */
export interface FlightNetworkDeps {
  /** This node's name: its ID in hex. */
  readonly self: string;
  readonly dht: Pick<
    DhtNode,
    | 'absent'
    | 'describe'
    | 'hasLeft'
    | 'isMemberConnected'
    | 'isToldFirst'
    | 'nearest'
    | 'recorded'
    | 'zoneOf'
  >;
  /** Streams of FLIGHT_PROTOCOL. */
  readonly streams: Pick<KeptStreams, 'ask' | 'isSilent'>;
  /** See createToProvider. */
  readonly toProvider: (peer: NamedPeer) => Provider | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

const SECOND_MS = 1000;
/** A mirror that is restarted is a member again within so long after it was seen last. */
const RESTART_MS = 5 * SECOND_MS;
/** The same for a mirror that has said goodbye: bodies under way are given 5 s. */
const PAUSE_MS = 15 * SECOND_MS;
/** Nodes whose addresses are remembered for that. */
const MAX_SEEN = 1000;

/** The cluster as flights see it, over libp2p. */
export interface P2pFlightNetwork extends FlightNetwork {
  /** Takes a message of FLIGHT_PROTOCOL, see createRpcServer. Throws MessageError for a node that is not a member, too. */
  answer(from: Uint8Array, message: Uint8Array): Uint8Array;
}

/** Makes the cluster as flights see it. */
export function createFlightNetwork({
  self,
  dht,
  streams,
  toProvider,
  clock,
  logger,
}: FlightNetworkDeps): P2pFlightNetwork {
  let handler: FlightHandler | undefined;
  /** Nodes of flights as they were when they were there last. */
  const seen = new Map<string, { readonly peer: Peer; readonly atMs: number }>();
  const send = (tower: string, report: FlightReport) => {
    const asked = async () =>
      streams.ask(named(tower), { message: encodeFlightReport(report), parse: () => {} });
    asked().catch((error: unknown) => logger.debug('Cannot report a flight', { peer: tower, error }));
  };
  const isPausing = (name: string) => dht.hasLeft(name, PAUSE_MS);
  const named = (name: string): NamedPeer => {
    const peer = dht.describe(name);
    if (peer === undefined) throw new Error('The node is not there');
    return peer;
  };
  return {
    self,
    towersOf: (digest, count) => dht.nearest(digest, count, 'flights'),
    async ask(tower, question, signal) {
      if (streams.isSilent(tower)) throw new Error('The node does not answer');
      const asked = streams.ask(named(tower), {
        message: encodeFlightQuestion(question),
        parse: parseFlightAnswer,
      });
      const answer = await abortable(asked, signal);
      // It would name a holder, and it keeps the records of those.
      if (answer.verdict === 'upstream' && isAboutAll(question)) dht.absent(question.digest, tower);
      return answer;
    },
    ...createReportQueue({ clock, send, isToldFirst: (tower, digest) => dht.isToldFirst(tower, digest) }),
    zoneOf: (name) => dht.zoneOf(name),
    isPausing,
    isThere: (name) => dht.describe(name) !== undefined,
    peerOf(name) {
      const described = dht.describe(name);
      if (described === undefined) {
        const known = seen.get(name);
        const wasThere = known !== undefined && clock.nowMs() - known.atMs < RESTART_MS;
        return wasThere || isPausing(name) ? known?.peer : undefined;
      }
      const provider = toProvider(described);
      const peer = provider && { ...provider, zone: dht.zoneOf(name) };
      if (peer !== undefined) lruSet(seen, name, { peer, atMs: clock.nowMs() }, MAX_SEEN);
      return peer;
    },
    holdersOf: (digest) => dht.recorded(digest),
    serve(served) {
      handler = served;
    },
    answer(from, message) {
      const name = from.toHex();
      if (handler === undefined || !dht.isMemberConnected(name)) {
        throw new MessageError('Cannot answer: the node is not a member, or nothing is served here');
      }
      const parsed = parseFlightMessage(message);
      if (!('state' in parsed)) return encodeFlightAnswer(handler.ask(name, parsed));
      handler.report(name, parsed);
      return encodeFlightAnswer(undefined);
    },
  };
}

/** True for a question that any node with the content is an answer to. */
function isAboutAll({ bad, full, isAboutLeader = false, lagsAtByte }: FlightQuestion): boolean {
  return bad.length === 0 && full.length === 0 && !isAboutLeader && lagsAtByte === undefined;
}
