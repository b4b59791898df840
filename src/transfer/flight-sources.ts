import { PeerRequestError } from '../http/transport.ts';
import type { Assigned, FlightSeat } from '../flights/flight-seat.ts';
import type { FlightRequest, Flights } from '../flights/flights.ts';
import type { Logger } from '../observe/log.ts';
import type { TransferFlight } from '../observe/transfer-log.ts';
import type { ZoneOutages } from '../routing/zone-outages.ts';
import type { Clock } from '../runtime/clock.ts';
import {
  MAX_FLIGHT_PEERS,
  FLIGHT_HOLD_QUEUED_MS,
  FLIGHT_LEADER_ASKS_MS,
  FLIGHT_LEADER_GRACE_MS,
  FLIGHT_LEADER_PAUSE_MS,
  FLIGHT_RESTART_BYTES,
  FLIGHT_RESTART_LEADER_BYTES,
  FLIGHT_RESTART_PAUSE_MS,
  FLIGHT_RESTART_WAIT_MS,
  FLIGHT_UPDATE_WAIT_MS,
  FLIGHT_RESUME_MS,
  FLIGHT_WAITING_PAUSE_MS,
} from './budgets.ts';
import type { TransferOptions } from './blob-sources-contract.ts';
import { createFlightRecord, type FlightParent } from './flight-record.ts';
import type { PeerHealth } from './peer-health.ts';
import { atAnyAddress, type Refusal } from './peer-requests.ts';
import type { TransferObserver } from './transfer-observer.ts';

/** What createFlightSources needs. */
export interface FlightSourcesDeps {
  readonly flights: Pick<
    Flights,
    'asks' | 'isUrgent' | 'leads' | 'left' | 'lost' | 'mayComeBack' | 'seat' | 'taken'
  >;
  readonly health: Pick<PeerHealth, 'failed' | 'skips'>;
  readonly observer: Pick<TransferObserver, 'flightEnded'>;
  readonly outages: Pick<ZoneOutages, 'heard' | 'isCut' | 'silent'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What createFlightSources is told of the request, besides what the towers need. */
export interface FlightSourcesOptions extends Pick<TransferOptions, 'flightsMaxHoldMs'> {
  /** See FlightRecordDeps. */
  readonly onFlight?: ((flight: TransferFlight) => void) | undefined;
}

/** What a node of a flight gives. */
export interface FlightGiven extends Pick<FlightParent, 'origin'> {
  /** The node is downloading it itself. */
  readonly isGrowing?: boolean;
}

/** An answer of a node that the tower named. */
export interface FlightAnswered<T> {
  readonly answer: T;
  readonly assigned: Assigned;
}

/** Asking the nodes that the tower of a digest names, one after the other. */
export interface FlightSources {
  /**
   * Asks until a node gives the content. `upstream`: this node is to go there, for all. Undefined: no node gives it
   * within the time that a request may be held.
   */
  ask<T extends FlightGiven>(
    ask: (host: string, connectTimeoutMs: number) => Promise<T | Refusal>,
    how: {
      /** A body is under way. */
      readonly replacing: boolean;
      /** What is to come, in bytes, if it is known: if it is much, it is worth waiting for a mirror that is being restarted. */
      readonly leftBytes?: number | undefined;
      /** Asked now and then about a node that has nothing yet: true if others are far ahead of it. */
      readonly isBehind?: ((node: Assigned) => Promise<boolean>) | undefined;
    },
  ): Promise<FlightAnswered<T> | 'upstream' | undefined>;
  /** The node has broken in mid-body: another one is asked. */
  broke(assigned: Assigned): void;
  /** True if the node, which has given so many bytes of the blob, lags far behind another node. */
  lags(assigned: Assigned, atByte: number): Promise<boolean>;
  /** This node's client has left a body. */
  left(): void;
  /** No node is asked: it came through a flight a moment ago, or too slowly. */
  stepsAside(reason: 'again' | 'slow'): void;
  /** This node's client goes upstream: the towers are told. */
  goesUpstream(): void;
}

/** Starts the flight of one request. */
export function createFlightSources(
  { flights, health, observer, outages, clock, logger }: FlightSourcesDeps,
  { flightsMaxHoldMs, onFlight }: FlightSourcesOptions,
  request: FlightRequest,
): FlightSources {
  const { digest, signal } = request;
  const record = createFlightRecord({ observer, clock, onFlight });
  let seat: FlightSeat | undefined;
  /** The node that gave the last body, unless it broke. */
  let last: Assigned | undefined;
  /** Asks one node until it gives the content, refuses it, or has let this request wait for too long. */
  const askOne = async <T extends object>(
    node: Assigned,
    ask: (host: string, connectTimeoutMs: number) => Promise<T | Refusal>,
    how: {
      /** Whether it may be asked again, after this was said to a question of that time. */
      readonly mayWait: (said: Refusal, askedMs: number) => boolean;
      readonly isBehind: (node: Assigned) => Promise<boolean>;
      /** What is to come, in bytes. */
      readonly leftBytes: number;
      /** It has given bytes of it before. */
      readonly hadBegun: boolean;
    },
  ): Promise<T | 'refused' | 'gone' | 'busy' | 'late'> => {
    const { peer, name, leader } = node;
    const { mayWait, isBehind, leftBytes, hadBegun } = how;
    const isLeader = name === leader;
    const isLong = leftBytes >= (isLeader ? FLIGHT_RESTART_LEADER_BYTES : FLIGHT_RESTART_BYTES);
    /** When its port refused for the first time, or it said that it does not have it. */
    let [refusedMs, absentMs]: (number | undefined)[] = [];
    for (;;) {
      const askedMs = clock.nowMs();
      let answer: T | Refusal;
      try {
        answer = await atAnyAddress(peer, ask);
        outages.heard(peer.zone);
        if (typeof answer !== 'string') return answer;
        if (answer === 'absent') absentMs ??= clock.nowMs();
        const isAboutTo = refusedMs !== undefined || (isLeader && !hadBegun);
        const isEarly = isAboutTo && clock.nowMs() - (absentMs ?? -Infinity) < FLIGHT_LEADER_GRACE_MS;
        // The leader of the image asks for this layer in a moment; a mirror that was restarted sees it in a moment.
        if (answer === 'absent' && isEarly) await clock.sleep(FLIGHT_LEADER_PAUSE_MS, signal).catch(() => {});
        else if (answer === 'waiting' || answer === 'queued') {
          // It is to hold the request itself. What says so at once is not asked as fast as it answers.
          if (await isBehind(node)) return 'refused';
          const leftMs = askedMs + FLIGHT_WAITING_PAUSE_MS - clock.nowMs();
          if (leftMs > 0) await clock.sleep(leftMs, signal).catch(() => {});
        } else {
          logger.debug('node of a flight refused', { digest, peer: name, refusal: answer });
          // It does not download the image any more: it was cancelled there, or goes too slowly.
          const isOver = answer === 'absent' || answer === 'given-up';
          if (isOver && request.kind === 'blob') flights.lost(request, name);
          return answer === 'busy' ? 'busy' : 'refused';
        }
      } catch (error) {
        if (!(error instanceof PeerRequestError)) throw error;
        const isRestarting = error.code === 'CONNECT_FAILED' || error.code === 'CONNECTION_LOST';
        if (isRestarting) refusedMs ??= clock.nowMs();
        const restartMs = flights.mayComeBack(name) ? FLIGHT_UPDATE_WAIT_MS : FLIGHT_RESTART_WAIT_MS;
        if (isLong && isRestarting && clock.nowMs() - (refusedMs ?? 0) < restartMs) {
          await clock.sleep(FLIGHT_RESTART_PAUSE_MS, signal).catch(() => {});
          continue;
        }
        if (!signal.aborted && error.code !== 'TOO_LARGE') {
          // What does not even take a connection is left alone for a while.
          const isSilent = error.code === 'CONNECT_TIMEOUT';
          health.failed(peer, isSilent ? undefined : 'late');
          if (isSilent) {
            outages.silent(peer.zone, peer.addresses[0] ?? peer.id, { waitedMs: clock.nowMs() - askedMs });
          }
          // A mirror that may be restarting is not waited for because of a short rest; it may lead the image all the same.
          if (isLong || !isRestarting) flights.lost(request, name);
        }
        logger.debug('node of a flight failed', { digest, peer: name, error });
        return error.code === 'CONNECT_TIMEOUT' ? 'gone' : 'refused';
      }
      if (signal.aborted || !mayWait(answer, askedMs)) return 'late';
    }
  };

  return {
    async ask(ask, { replacing, leftBytes = 0, isBehind = async () => false }) {
      seat ??= flights.seat(request);
      using _asks = flights.asks(request);
      const ended = record.looks(replacing);
      const startedMs = clock.nowMs();
      const holdMs = replacing ? FLIGHT_RESUME_MS : flightsMaxHoldMs;
      const isInTime = () => clock.nowMs() - startedMs < holdMs && !signal.aborted;
      /**
       * A node that leads the image may be the root by now, without having been told so: the node that gives it the bytes
       * may wait for it.
       */
      const isLeading = () => replacing && flights.leads(request);
      /** When the node was asked first, and whether the tower is to be asked again, the node being as good as before. */
      let [turnedMs, asksTower] = [startedMs, false];
      /** Since when nodes say that it waits for its turn there. */
      let queuedMs: number | undefined;
      const mayWait = (said: Refusal, askedMs: number) => {
        if (said === 'queued') queuedMs ??= askedMs;
        else queuedMs = undefined;
        const isInVain =
          queuedMs !== undefined &&
          flights.isUrgent(request) &&
          clock.nowMs() - queuedMs >= Math.min(FLIGHT_HOLD_QUEUED_MS, flightsMaxHoldMs);
        const isToAsk = isLeading() && clock.nowMs() - turnedMs >= FLIGHT_LEADER_ASKS_MS;
        asksTower = isToAsk && !isInVain;
        return isInTime() && !isInVain && !isToAsk;
      };
      for (let asked = 0; asked < MAX_FLIGHT_PEERS && isInTime(); asked++) {
        // A body that stands still, or is cut off, says nothing of its node: what that says when it is asked again does.
        // The tower would name another node, or upstream, while the node waits for its own source as well.
        const again = replacing && !isLeading() ? last : undefined;
        last = undefined;
        [turnedMs, asksTower] = [clock.nowMs(), false];
        const next = again ?? (await seat.next());
        if (next === undefined || next === 'upstream') {
          ended(next ?? (signal.aborted ? 'left' : 'silent'));
          return next;
        }
        // It was slow, or failed, a moment ago: the tower does not know.
        if (again === undefined && health.skips(next.peer, digest)) {
          seat.bad(next.name);
          continue;
        }
        if (again === undefined && outages.isCut(next.peer.zone)) {
          seat.gone(next.name);
          continue;
        }
        const hadBegun = again !== undefined;
        const answer = await askOne(next, ask, { mayWait, isBehind, leftBytes, hadBegun });
        if (typeof answer !== 'string') {
          flights.taken(request, next);
          last = next;
          ended(answer.isGrowing === true ? 'growing' : 'holder', { ...next, origin: answer.origin });
          return { answer, assigned: next };
        }
        if (answer === 'late' && asksTower && isInTime()) continue;
        if (answer === 'busy') seat.full(next.name);
        else if (answer === 'gone') seat.gone(next.name);
        else seat.bad(next.name);
        if (answer === 'late') break;
      }
      ended(signal.aborted ? 'left' : 'late');
      return undefined;
    },
    broke({ name }) {
      seat?.bad(name);
      last = undefined;
    },
    lags: async ({ name }, atByte) => (await seat?.lags(name, atByte)) === true,
    left: () => flights.left(request),
    stepsAside: (reason) => record.stepsAside(reason),
    goesUpstream() {
      flights.taken(request, 'upstream');
      record.goesUpstream();
    },
  };
}
