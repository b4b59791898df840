import type { PeerConnection } from './peer-connection.ts';

const SECOND_MS = 1000;
/** How long an idle connection to a peer is kept. Shorter than any server's own time-out (KEEP_ALIVE_TIMEOUT_MS; Go keeps them for good). */
const PEER_IDLE_TIMEOUT_MS = 30 * SECOND_MS;
/** Most idle connections to one peer: what one pull uses side by side (containerd fetches 3 layers at once). */
export const MAX_IDLE_PER_PEER = 4;
/** The same for a moment, while more requests than that go to one peer: else each of them would make a connection and end it. */
export const MAX_BUSY_PER_PEER = 16;
/** That moment. */
const BUSY_TIMEOUT_MS = 1 * SECOND_MS;
/** Most idle connections to all peers. */
const MAX_IDLE_CONNECTIONS = 64;

/** Idle connections to peers, to be used again. */
export interface PeerConnectionPool {
  /** The connection that was idle for the shortest time, or undefined. It may be dead without our knowing. */
  take(peer: string): PeerConnection | undefined;
  /** Keeps a connection on which nothing is under way, or closes it if there are enough. */
  put(peer: string, connection: PeerConnection): void;
  /** Closes the idle connections, and from now on what is put. */
  close(): void;
}

/** Limits of the pool. */
export interface PeerConnectionPoolOptions {
  readonly idleTimeoutMs?: number | undefined;
  /** How long those above MAX_IDLE_PER_PEER are kept. */
  readonly busyTimeoutMs?: number | undefined;
}

/** Creates an empty pool. */
export function createPeerConnectionPool({
  idleTimeoutMs = PEER_IDLE_TIMEOUT_MS,
  busyTimeoutMs = BUSY_TIMEOUT_MS,
}: PeerConnectionPoolOptions = {}): PeerConnectionPool {
  const idle = new Map<string, { connection: PeerConnection; timer: Timer }[]>();
  let total = 0;
  let closed = false;

  const remove = (peer: string, connection: PeerConnection) => {
    const entries = idle.get(peer) ?? [];
    const index = entries.findIndex((entry) => entry.connection === connection);
    const [entry] = index === -1 ? [] : entries.splice(index, 1);
    if (entry === undefined) return;
    total -= 1;
    clearTimeout(entry.timer);
    if (entries.length === 0) idle.delete(peer);
  };
  const drop = (peer: string, connection: PeerConnection) => {
    remove(peer, connection);
    connection.destroy();
  };

  return {
    take(peer) {
      const connection = idle.get(peer)?.at(-1)?.connection;
      if (connection !== undefined) remove(peer, connection);
      return connection;
    },
    put(peer, connection) {
      const entries = idle.get(peer) ?? [];
      const full = closed || total >= MAX_IDLE_CONNECTIONS || entries.length >= MAX_BUSY_PER_PEER;
      if (full || connection.closed) {
        connection.destroy();
        return;
      }
      const keepMs = entries.length < MAX_IDLE_PER_PEER ? idleTimeoutMs : busyTimeoutMs;
      const timer = setTimeout(() => drop(peer, connection), keepMs);
      timer.unref();
      entries.push({ connection, timer });
      idle.set(peer, entries);
      total += 1;
      connection.owner = {
        // Nothing was asked: whatever this is, it must not become the start of the next answer.
        onData: () => drop(peer, connection),
        onClose: () => remove(peer, connection),
      };
      connection.resume();
    },
    close() {
      closed = true;
      for (const [peer, entries] of idle) {
        for (const { connection } of entries.slice()) drop(peer, connection);
      }
    },
  };
}
