import type { BrokenReason, PeerRequestErrorCode } from '../http/transport.ts';
import type { Refusal } from './peer-requests.ts';
import type { ZoneStanding } from './peer-zones.ts';

/** How one request to one peer ended. */
export type PeerResult = 'served' | Refusal | PeerRequestErrorCode | BrokenReason;

/**
 * What came of a request's flight. `growing`: a node gives what it is downloading; `holder`: a node gives what it has;
 * `upstream`: this node downloads it for all; `silent`: no tower answers; `late`: no node gave a byte in time; `left`: the
 * client left before. Not even asked for a node: `again`, because the blob came through a flight a moment ago, and was wrong
 * or lost; `slow`, because the nodes that gave it were too slow.
 */
export type FlightOutcome = 'growing' | 'holder' | 'upstream' | 'silent' | 'late' | 'left' | 'again' | 'slow';

/** Told what the engine sees, for metrics. Calls must not throw. */
export interface TransferObserver {
  /** A peer was asked for content. */
  peerAsked(result: PeerResult): void;
  /** Body bytes went to a client. */
  bytesMoved(source: 'local' | 'peer', bytes: number): void;
  /** So many of these came in a piece, while other peers gave the next ones. */
  pieceMoved?(bytes: number): void;
  /**
   * A request of this node's own client has gone through a flight. `heldMs`: how long it waited for its first byte, or for
   * that outcome; undefined in mid-body, and where it did not wait.
   */
  flightEnded?(outcome: FlightOutcome, heldMs: number | undefined): void;
  /** Body bytes came from a node that a flight named: one that is downloading them (`growing`), or that has them. */
  flightBytesMoved?(source: 'growing' | 'holder', bytes: number): void;
  /** containerd refused a blob whose bytes peers gave, and they are wrong. */
  wrongBlob?(): void;
  /** A peer was late, so that a second one was asked beside it; which one gave the content. */
  hedged?(winner: 'first' | 'second' | 'none'): void;
  /** Body bytes came from a peer there. */
  zoneBytesMoved?(from: ZoneStanding, bytes: number): void;
  /** A lookup yielded its first peer, or none within its budget. */
  lookupEnded(durationMs: number, found: boolean): void;
}
