import { addressShare } from '../../runtime/address-share.ts';
import { countDown, countUp } from '../../runtime/key-counts.ts';
import type { HttpConnection } from './http-connection.ts';

/** The open connections of a listener. */
export interface ConnectionTable extends Iterable<HttpConnection> {
  /** Whether another connection from the address may be taken; closes an idle connection for it if that helps. */
  admits(remoteAddress: string): boolean;
  add(connection: HttpConnection): void;
  delete(connection: HttpConnection): void;
}

/** Options of createConnectionTable. */
export interface ConnectionTableOptions {
  readonly maxConnections: number;
  /** How long a head may take to arrive. */
  readonly headReceiveTimeoutMs: number;
  /** How long a connection may be idle. */
  readonly keepAliveTimeoutMs: number;
  /** How often that is looked at, while there are connections. */
  readonly checkIntervalMs: number;
}

/**
 * An address may have so many times what is free: three quarters of all for a single address, and a place is left for
 * an address that comes later, however many came before (dynamic thresholds, as switches share their buffers).
 */
const SHARE_OF_FREE = 3;

/** Creates an empty table. */
export function createConnectionTable({
  maxConnections,
  headReceiveTimeoutMs,
  keepAliveTimeoutMs,
  checkIntervalMs,
}: ConnectionTableOptions): ConnectionTable {
  const connections = new Set<HttpConnection>();
  const counts = new Map<string, number>();
  let check: Timer | undefined;

  const isOver = (connection: HttpConnection, nowMs: number) => {
    const limitMs = connection.headDue ? headReceiveTimeoutMs : keepAliveTimeoutMs;
    return !connection.busy && nowMs - connection.waitingSinceMs >= limitMs;
  };
  const checkAll = () => {
    const nowMs = performance.now();
    for (const connection of connections) if (isOver(connection, nowMs)) connection.endWhenIdle();
  };
  /** Closes the connection that was idle for the longest time, of the address that has the most. */
  const shedIdle = (): boolean => {
    let found: HttpConnection | undefined;
    let foundCount = 0;
    for (const connection of connections) {
      if (connection.busy) continue;
      const count = counts.get(connection.addressShare) ?? 0;
      const isBetter =
        count > foundCount ||
        (count === foundCount && connection.waitingSinceMs < (found?.waitingSinceMs ?? 0));
      if (!isBetter) continue;
      found = connection;
      foundCount = count;
    }
    found?.close();
    return found !== undefined;
  };

  return {
    admits(remoteAddress) {
      const count = counts.get(addressShare(remoteAddress)) ?? 0;
      const isWithinShare = () => count < SHARE_OF_FREE * (maxConnections - connections.size);
      return isWithinShare() || (shedIdle() && isWithinShare());
    },
    add(connection) {
      connections.add(connection);
      countUp(counts, connection.addressShare);
      check ??= setInterval(checkAll, checkIntervalMs);
    },
    delete(connection) {
      if (!connections.delete(connection)) return;
      countDown(counts, connection.addressShare);
      if (connections.size > 0) return;
      clearInterval(check);
      check = undefined;
    },
    [Symbol.iterator]: () => connections.values(),
  };
}
