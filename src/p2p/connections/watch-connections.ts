import type { Connection, Libp2p, PeerId } from '@libp2p/interface';

import type { Clock } from '../../runtime/clock.ts';
import { createDeadline } from '../../runtime/deadline.ts';
import { ANSWER_TIMEOUT_MS, KAD_PROTOCOL } from '../limits.ts';

const SECOND_MS = 1000;
/** Connections to one peer that are tried when it connects once more: the oldest and the latest. */
export const MAX_CHECKED_CONNECTIONS = 8;
/** When this node's timer was so late, a silent connection says nothing of the peer: it is tried again. */
export const LATE_CHECK_MS = SECOND_MS / 4;
/** How often, at most. */
const CHECK_ATTEMPTS = 3;

/** What watchConnections needs. */
export interface WatchConnectionsDeps {
  readonly libp2p: Pick<Libp2p, 'addEventListener' | 'removeEventListener' | 'getConnections'>;
  readonly clock: Clock;
  /** Called for each connection that opens. */
  readonly onOpen: (connection: Connection) => void;
  /**
   * Called when a connection to the peer leads nowhere, or has ended when it was tried, while another leads to the
   * peer.
   */
  readonly onReplaced: (peer: PeerId) => void;
}

/** What trying a connection shows. */
type Outcome = 'answered' | 'refused' | 'silent' | 'unknown';

/**
 * When a peer connects once more its connections are tried, until the signal aborts. Connections on which the peer does
 * not answer are ended if it answers on another connection. A peer that came back with another address left them open
 * at this end: TCP goes on sending to nothing for a quarter of an hour.
 */
export function watchConnections(
  { libp2p, clock, onOpen, onReplaced }: WatchConnectionsDeps,
  signal: AbortSignal,
): void {
  /** Peers whose connections are being tried; true: one more connection has opened meanwhile. */
  const checking = new Map<string, boolean>();

  const openOnes = (peer: PeerId) => libp2p.getConnections(peer).filter(({ status }) => status === 'open');
  const trial = async (connection: Connection): Promise<Outcome> => {
    const startedMs = clock.nowMs();
    using deadline = createDeadline(clock, ANSWER_TIMEOUT_MS, signal);
    try {
      // Agreeing on a protocol takes an answer.
      const stream = await connection.newStream(KAD_PROTOCOL, { signal: deadline.signal });
      stream.abort(new Error('The other end is there'));
    } catch {
      // A refusal is not silence. A process that was held up finds its timers first, and what has come only then.
      const lateMs = clock.nowMs() - startedMs - ANSWER_TIMEOUT_MS;
      if (signal.aborted || !deadline.signal.aborted) return 'refused';
      return lateMs > LATE_CHECK_MS ? 'unknown' : 'silent';
    }
    return 'answered';
  };
  /** Resolves to whether the peer is to be tried again. */
  const checkOnce = async (peer: PeerId): Promise<boolean> => {
    const tried = someOf(openOnes(peer));
    const outcomes = await Promise.all(tried.map(trial));
    if (signal.aborted) return false;
    const isOpen = ({ status }: Connection) => status === 'open';
    // Of two connections, two nodes that have dialled each other must not each end a different one.
    const isThere = tried.some((each, index) => isOpen(each) && outcomes[index] === 'answered');
    const silent = tried.filter((each, index) => isOpen(each) && outcomes[index] === 'silent');
    // A machine that was started anew at the same address ends old connections itself when it is sent something.
    const isOneGone = !tried.every(isOpen);
    if (isThere && (silent.length > 0 || isOneGone)) {
      for (const connection of silent) {
        connection.abort(new Error('The peer does not answer here, but on another connection'));
      }
      onReplaced(peer);
    }
    return outcomes.includes('unknown');
  };
  const check = async (peer: PeerId) => {
    const id = peer.toString();
    const isRunning = checking.has(id);
    checking.set(id, isRunning);
    if (isRunning) return;
    for (let attempts = 0; attempts < CHECK_ATTEMPTS; attempts++) {
      checking.set(id, false);
      const isUnknown = await checkOnce(peer);
      if (signal.aborted) break;
      if (checking.get(id) === true) attempts = -1;
      else if (!isUnknown) break;
    }
    checking.delete(id);
  };
  const onEvent = ({ detail: connection }: CustomEvent<Connection>) => {
    // A connection that is not a member's has been ended by now.
    if (connection.status !== 'open') return;
    onOpen(connection);
    if (openOnes(connection.remotePeer).length > 1) void check(connection.remotePeer);
  };
  libp2p.addEventListener('connection:open', onEvent);
  signal.addEventListener('abort', () => libp2p.removeEventListener('connection:open', onEvent), {
    once: true,
  });
}

/** The oldest connections and the latest. */
function someOf(connections: readonly Connection[]): readonly Connection[] {
  return connections.length <= MAX_CHECKED_CONNECTIONS
    ? connections
    : [...connections.slice(0, MAX_CHECKED_CONNECTIONS - 1), ...connections.slice(-1)];
}
