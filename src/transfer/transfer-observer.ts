import type { BrokenReason, PeerRequestErrorCode } from '../http/body-mover.ts';
import type { Refusal } from './peer-requests.ts';

/** How one request to one peer ended. */
export type PeerResult = 'served' | Refusal | PeerRequestErrorCode | BrokenReason;

/** Told what the engine sees, for metrics. Calls must not throw. */
export interface TransferObserver {
  /** A peer was asked for content. */
  peerAsked(result: PeerResult): void;
  /** Body bytes went to a client. */
  bytesMoved(source: 'local' | 'peer', bytes: number): void;
  /** A lookup yielded its first peer, or none within its budget. */
  lookupEnded(durationMs: number, found: boolean): void;
}
