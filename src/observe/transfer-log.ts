/** What one source gave to a transfer. */
export interface TransferSource {
  /** A peer's address, or `local`. */
  readonly origin: string;
  readonly movedBytes: number;
  /** `complete`, or why it was left: what a broken source is said to be, `client-gone`, `cancelled`. */
  readonly ended: string;
}

/** The part that a flight had in a transfer to this node's own client, as it was at the end. */
export interface TransferFlight {
  /**
   * `root`: this node's client goes upstream, and other nodes may follow its download; `child`: from a node that is
   * downloading it; `holder`: from a node that has it. Undefined: it came another way, or the client left.
   */
  readonly role: 'root' | 'child' | 'holder' | undefined;
  /** The node that gave it last, by its address and its peer ID. */
  readonly parent: { readonly origin: string; readonly peer: string } | undefined;
  /** How long the request waited for the flight without a byte, in ms, in mid-body, too. */
  readonly heldMs: number;
  /** Why the flight stepped aside, as in `spegel_flight_requests_total`; undefined: it did not. */
  readonly aside: 'silent' | 'late' | 'again' | 'slow' | undefined;
}

/**
 * How a transfer ended. `resumed`: complete, after a source broke and another went on. `broken-off`: nobody could go
 * on, and the client asks for the rest. `missing`: nobody has it, so that the client goes to the registry itself.
 */
export type TransferOutcome = 'served' | 'resumed' | 'broken-off' | 'client-gone' | 'missing';

/**
 * Why content was not given. `no-record`: no node is known to have it; `peers-skipped`: those that have it failed or were slow a
 * moment ago; `peers-busy`, `peers-refused`, `peers-failed`: those that were asked gave as much as they may, do not have it (or
 * gave something else), did not answer; `peers-slow`: they were too slow with it; `overloaded`: this node answers as much as it
 * may; `filter`: it is not shared.
 */
export type MissReason =
  | 'no-record'
  | 'peers-skipped'
  | 'peers-busy'
  | 'peers-refused'
  | 'peers-failed'
  | 'peers-slow'
  | 'overloaded'
  | 'filter';

/** One manifest or blob that was asked for, and what came of it. */
export interface EndedTransfer {
  readonly kind: 'manifest' | 'blob';
  /** Undefined if neither the client nor the path named it. */
  readonly registry: string | undefined;
  readonly repository: string;
  readonly tag: string | undefined;
  /** Undefined for a tag that was not found. */
  readonly digest: string | undefined;
  /** True if another node asked, false for this node's own clients. */
  readonly forwarded: boolean;
  /** The last ones that were used, in their order; empty if there was none. */
  readonly sources: readonly TransferSource[];
  /** Undefined if no flight took part. */
  readonly flight: TransferFlight | undefined;
  readonly movedBytes: number;
  readonly durationMs: number;
  readonly outcome: TransferOutcome;
  /** Why it was `missing`. */
  readonly missing?: MissReason | undefined;
}

/** A transfer that has ended. */
export interface LoggedTransfer extends EndedTransfer {
  /** In ms since the epoch. */
  readonly startedAtMs: number;
}

/** Keeps the last transfers, for those who look at the node. */
export interface TransferLog {
  /** Tells of a transfer that ended just now. */
  ended(transfer: EndedTransfer): void;
  /** The last ones, newest first. */
  last(): readonly LoggedTransfer[];
}

/** The pulls of a few images; each takes at most 2 KB. */
const MAX_TRANSFERS = 50;

/** Creates an empty log of at most 50 transfers. `wallClockMs` is the time of day, in ms since the epoch. */
export function createTransferLog(wallClockMs: () => number = Date.now): TransferLog {
  const transfers: LoggedTransfer[] = [];
  return {
    ended(transfer) {
      const startedAtMs = Math.round(wallClockMs() - transfer.durationMs);
      transfers.push({ ...transfer, startedAtMs });
      if (transfers.length > MAX_TRANSFERS) transfers.shift();
    },
    last: () => transfers.toReversed(),
  };
}
