import { afterEach, describe, expect, test } from 'bun:test';
import { createConnectionTable } from './connection-table.ts';
import type { HttpConnection } from './http-connection.ts';

const open = new Set<() => void>();
afterEach(() => {
  for (const close of open) close();
});

function create(maxConnections: number) {
  const table = createConnectionTable({
    maxConnections,
    headReceiveTimeoutMs: 60_000,
    keepAliveTimeoutMs: 60_000,
    checkIntervalMs: 60_000,
  });
  const closed: string[] = [];
  /** Adds a connection if there is a place; a busy connection is not shed. */
  const connect = (addressShare: string, { busy = true, waitingSinceMs = 0 } = {}): boolean => {
    if (!table.admits(addressShare)) return false;
    const connection: HttpConnection = {
      addressShare,
      busy,
      waitingSinceMs,
      headDue: false,
      endWhenIdle() {},
      breakOff() {},
      close() {
        closed.push(`${addressShare}@${waitingSinceMs}`);
        table.delete(connection);
      },
      idle: async () => {},
    };
    table.add(connection);
    open.add(() => table.delete(connection));
    return true;
  };
  const connectAll = (address: string) => {
    let count = 0;
    while (connect(address)) count += 1;
    return count;
  };
  return { table, connect, connectAll, closed };
}

describe('createConnectionTable()', () => {
  test('an address gets three quarters, and an address that comes later finds a place', () => {
    const { connectAll } = create(1024);
    expect(connectAll('10.0.0.1')).toBe(768);
    expect(connectAll('10.0.0.2')).toBe(192);
    expect(connectAll('10.0.0.3')).toBe(48);
    expect(connectAll('10.0.0.4')).toBeGreaterThan(0);
  });

  test('the idle connection of the address with the most is closed for a new connection, the longest idle first', () => {
    const { connect, closed } = create(4);
    connect('10.0.0.1', { busy: false, waitingSinceMs: 30 });
    connect('10.0.0.1', { busy: false, waitingSinceMs: 20 });
    connect('10.0.0.1', { busy: true, waitingSinceMs: 10 });
    connect('10.0.0.2', { busy: false, waitingSinceMs: 5 });
    expect(connect('10.0.0.3')).toBe(true);
    expect(closed).toEqual(['10.0.0.1@20']);
  });

  test('a busy connection is not closed for a new connection', () => {
    const { connect, closed } = create(2);
    expect([connect('10.0.0.1'), connect('10.0.0.2'), connect('10.0.0.3')]).toEqual([true, true, false]);
    expect(closed).toEqual([]);
  });
});
