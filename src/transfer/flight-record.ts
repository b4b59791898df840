import type { Assigned } from '../flights/flight-seat.ts';
import type { TransferFlight } from '../observe/transfer-log.ts';
import type { Clock } from '../runtime/clock.ts';
import type { FlightOutcome, TransferObserver } from './transfer-observer.ts';

/** What createFlightRecord needs. */
export interface FlightRecordDeps {
  readonly observer: Pick<TransferObserver, 'flightEnded'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** Told of the flight's part in the request, each time that it changes. Must not throw. */
  readonly onFlight?: ((flight: TransferFlight) => void) | undefined;
}

/** The node that gives the content. */
export interface FlightParent extends Pick<Assigned, 'peer'> {
  /** Its address that was asked. */
  readonly origin: string;
}

/** What is told of the flight of one request, to the metrics and to the log of transfers. */
export interface FlightRecord {
  /**
   * The flight begins to look for a node that gives the content. With `replacing` a body is under way. Returns what ends
   * that, once.
   */
  looks(replacing: boolean): (outcome: FlightOutcome, parent?: FlightParent) => void;
  /** The flight is left out. */
  stepsAside(reason: 'again' | 'slow'): void;
  /** The node's client goes upstream. */
  goesUpstream(): void;
}

const ROLES: Readonly<Partial<Record<FlightOutcome, TransferFlight['role']>>> = {
  growing: 'child',
  holder: 'holder',
};

/** Begins the record of a request whose flight has not looked for a node yet. */
export function createFlightRecord({ observer, clock, onFlight }: FlightRecordDeps): FlightRecord {
  let heldMs = 0;
  let flight: TransferFlight | undefined;
  const tell = (now: Omit<TransferFlight, 'heldMs'>) => {
    flight = { ...now, heldMs: Math.round(heldMs) };
    onFlight?.(flight);
  };
  const ended = (outcome: FlightOutcome, parent?: FlightParent) => {
    const isAside = outcome === 'silent' || outcome === 'late' || outcome === 'again' || outcome === 'slow';
    tell({
      role: ROLES[outcome],
      parent: parent && { origin: parent.origin, peer: parent.peer.id },
      aside: isAside ? outcome : undefined,
    });
  };
  return {
    looks(replacing) {
      const startedMs = clock.nowMs();
      return (outcome, parent) => {
        const tookMs = clock.nowMs() - startedMs;
        heldMs += tookMs;
        observer.flightEnded?.(outcome, replacing ? undefined : tookMs);
        ended(outcome, parent);
      };
    },
    stepsAside(reason) {
      observer.flightEnded?.(reason, undefined);
      ended(reason);
    },
    goesUpstream: () => tell({ role: 'root', parent: undefined, aside: flight?.aside }),
  };
}
