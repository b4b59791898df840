import { lruSet } from '../runtime/lru-set.ts';
import type { PeerConnection } from './peer-connection.ts';
import { PeerRequestError } from './transport.ts';

const SECOND_MS = 1000;
/** A peer that is asked on a kept connection and is late may be gone, with all of its network, without a word. */
const LATE_MS = 50;
/** What was found out about a peer counts for so long: a peer that only takes its time is not connected to all the time. */
const CHECKED_FOR_MS = SECOND_MS;
/** Peers of which that is remembered. */
const MAX_PEERS = 100;

/** Finds out whether peers that do not answer on kept connections are there at all. */
export interface PeerReachability {
  /**
   * The answer of an exchange on a kept connection. When it is late, another connection to the peer is tried beside it: if that
   * cannot be made in time, the exchange ends with its PeerRequestError, CONNECT_TIMEOUT. What else becomes of it says nothing:
   * a peer that stops takes no connections, and answers what it was asked.
   */
  whileReachable<T>(
    exchange: Promise<T>,
    peer: {
      readonly name: string;
      readonly connection: Pick<PeerConnection, 'destroy'>;
      /** Told when the other connection could be made. */
      readonly onReached?: (() => void) | undefined;
    },
  ): Promise<T>;
}

/** What createPeerReachability needs. `connect` makes a connection to the peer of that name, or rejects. */
export interface PeerReachabilityDeps {
  readonly connect: (name: string) => Promise<Pick<PeerConnection, 'destroy'>>;
  readonly nowMs: () => number;
  /** When an answer is late. Default LATE_MS. */
  readonly lateMs?: number | undefined;
}

/** Knows of no peer yet. */
export function createPeerReachability({
  connect,
  nowMs,
  lateMs = LATE_MS,
}: PeerReachabilityDeps): PeerReachability {
  /** The last check of a peer: its error if the peer cannot be reached. */
  const checks = new Map<string, { readonly atMs: number; readonly error: Promise<unknown> }>();
  const check = (name: string): Promise<unknown> => {
    const known = checks.get(name);
    if (known !== undefined && nowMs() - known.atMs < CHECKED_FOR_MS) return known.error;
    const error = connect(name).then(
      (connection) => connection.destroy(),
      (failure: unknown) => (isTimeout(failure) ? failure : undefined),
    );
    lruSet(checks, name, { atMs: nowMs(), error }, MAX_PEERS);
    return error;
  };
  return {
    async whileReachable(exchange, { name, connection, onReached }) {
      const gone = Promise.withResolvers<never>();
      let isOver = false;
      const timer = setTimeout(() => {
        void check(name).then((error) => {
          if (isOver) return;
          if (error === undefined) {
            onReached?.();
            return;
          }
          // The exchange ends by its own time limit, and nothing hears of it.
          connection.destroy();
          gone.reject(error);
        });
      }, lateMs);
      try {
        return await Promise.race([exchange, gone.promise]);
      } finally {
        isOver = true;
        clearTimeout(timer);
        exchange.catch(() => {});
      }
    },
  };
}

function isTimeout(error: unknown): boolean {
  return error instanceof PeerRequestError && error.code === 'CONNECT_TIMEOUT';
}
