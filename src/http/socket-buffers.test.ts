import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { boundReceiveBuffer, boundSendBuffer, stretchReceiveBuffer } from './socket-buffers.ts';
import { getSocketOption, IPPROTO_TCP, unreadBytes } from './socket-option.ts';
import { until } from '../runtime/conditions.fixture.ts';

describe.each([
  ['boundReceiveBuffer()', boundReceiveBuffer],
  ['boundSendBuffer()', boundSendBuffer],
])('%s', (_, bound) => {
  test('is true for a socket', () => {
    const server = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } });
    try {
      const { fd } = server as unknown as { readonly fd: number };
      expect(bound(fd, 65_536)).toBe(true);
    } finally {
      server.stop(true);
    }
  });

  test.each([-1, 1_000_000])('is false for descriptor %p', (fd) => {
    expect(bound(fd, 65_536)).toBe(false);
  });
});

/** A connection on the loopback that does not read, and its other end. */
async function withConnection(
  work: (fd: number, other: { write(data: Uint8Array): number }) => Promise<void> | void,
): Promise<void> {
  const accepted = Promise.withResolvers<{ write(data: Uint8Array): number }>();
  const server = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: { data() {}, open: (socket) => accepted.resolve(socket) },
  });
  const client = await Bun.connect({ hostname: '127.0.0.1', port: server.port, socket: { data() {} } });
  try {
    client.pause();
    await work((client as unknown as { readonly fd: number }).fd, await accepted.promise);
  } finally {
    client.terminate();
    server.stop(true);
  }
}

/** The largest window that TCP offers to the peer, in bytes (tcp(7)). */
const windowClamp = (fd: number): number => getSocketOption(fd, 10, IPPROTO_TCP);

test('boundReceiveBuffer() lets TCP offer all of a buffer that is larger than that which the connection was made with', async () => {
  await withConnection((fd) => {
    const before = windowClamp(fd);
    boundReceiveBuffer(fd, before);
    expect(windowClamp(fd)).toBe(2 * before);
  });
});

describe('stretchReceiveBuffer()', () => {
  const WANTED = 512 * 1024;

  test('gives what was asked for, and not more, also where it has to go beyond what the system gives at most', async () => {
    await withConnection((fd) => {
      const size = stretchReceiveBuffer(fd, WANTED);
      expect(size).toBeGreaterThanOrEqual(0.9 * WANTED);
      expect(size).toBeLessThanOrEqual(WANTED);
    });
    const rmemMax = Number(readFileSync('/proc/sys/net/core/rmem_max', 'utf8'));
    await withConnection((fd) => {
      const size = stretchReceiveBuffer(fd, rmemMax + WANTED);
      expect(size).toBeGreaterThanOrEqual(0.9 * (rmemMax + WANTED));
      expect(size).toBeLessThanOrEqual(rmemMax + WANTED);
    });
  });

  test('gives less again', async () => {
    await withConnection((fd) => {
      stretchReceiveBuffer(fd, 2 * WANTED);
      expect(stretchReceiveBuffer(fd, WANTED)).toBe(WANTED);
    });
  });

  test('is 0 for a descriptor that is no socket', () => {
    expect(stretchReceiveBuffer(-1, WANTED)).toBe(0);
  });
});

describe('unreadBytes()', () => {
  test('counts what has come and was not read', async () => {
    await withConnection(async (fd, other) => {
      expect(unreadBytes(fd)).toBe(0);
      other.write(new Uint8Array(1234));
      await until(() => unreadBytes(fd) === 1234);
    });
  });

  test('is undefined for a descriptor that is no socket', () => {
    expect(unreadBytes(-1)).toBeUndefined();
  });
});
