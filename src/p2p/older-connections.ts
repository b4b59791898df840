import type { Connection, Libp2p, PeerId } from '@libp2p/interface';

import { ANSWER_TIMEOUT_MS, KAD_PROTOCOL } from './limits.ts';

/** What watchOlderConnections needs. */
export interface WatchOlderConnectionsDeps {
  readonly libp2p: Pick<Libp2p, 'addEventListener' | 'removeEventListener' | 'getConnections'>;
  /** Called for a peer to which there is a newer connection now. */
  readonly onNewer: (peer: PeerId) => void;
}

/** Tunables, for tests. */
export interface WatchOlderConnectionsOptions {
  /** Time that the other end has to answer. */
  readonly timeoutMs?: number;
}

/**
 * When a peer connects again its older connections are tried, and end when nobody answers on them. One that came back
 * with another address left them open at this end: TCP goes on for a quarter of an hour with what it sends to nobody.
 * Until the signal aborts.
 */
export function watchOlderConnections(
  { libp2p, onNewer }: WatchOlderConnectionsDeps,
  signal: AbortSignal,
  { timeoutMs = ANSWER_TIMEOUT_MS }: WatchOlderConnectionsOptions = {},
): void {
  const tried = new WeakSet<Connection>();
  const check = async (connection: Connection) => {
    if (tried.has(connection)) return;
    tried.add(connection);
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      // Agreeing on a protocol takes an answer.
      const stream = await connection.newStream(KAD_PROTOCOL, { signal: AbortSignal.any([signal, timeout]) });
      stream.abort(new Error('The other end is there'));
    } catch {
      if (timeout.aborted) {
        connection.abort(new Error('The peer does not answer here, and has connected anew'));
      }
    } finally {
      tried.delete(connection);
    }
  };
  const onOpen = ({ detail: newer }: CustomEvent<Connection>) => {
    const older = libp2p
      .getConnections(newer.remotePeer)
      .filter((each) => each !== newer && each.status === 'open');
    if (older.length === 0) return;
    onNewer(newer.remotePeer);
    for (const connection of older) void check(connection);
  };
  libp2p.addEventListener('connection:open', onOpen);
  signal.addEventListener('abort', () => libp2p.removeEventListener('connection:open', onOpen), {
    once: true,
  });
}
