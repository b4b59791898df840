import type { BrokenReason, PeerRequestErrorCode } from '../http/body-mover.ts';
import type { Refusal } from './peer-requests.ts';

/** How one request to one peer ended. */
export type PeerResult = 'served' | Refusal | PeerRequestErrorCode | BrokenReason;

/**
 * What came of a request's flight. `growing`: a node gives what it is downloading; `holder`: a node gives what it has;
 * `upstream`: this node downloads it for all; `silent`: no tower answers; `late`: no node gave a byte in time.
 */
export type FlightOutcome = 'growing' | 'holder' | 'upstream' | 'silent' | 'late';

/** Told what the engine sees, for metrics. Calls must not throw. */
export interface TransferObserver {
  /** A peer was asked for content. */
  peerAsked(result: PeerResult): void;
  /** Body bytes went to a client. */
  bytesMoved(source: 'local' | 'peer', bytes: number): void;
  /** A request of this node's own client has gone through a flight. */
  flightEnded?(outcome: FlightOutcome): void;
  /** A lookup yielded its first peer, or none within its budget. */
  lookupEnded(durationMs: number, found: boolean): void;
}
