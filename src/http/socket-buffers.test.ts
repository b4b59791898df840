import { describe, expect, test } from 'bun:test';
import { boundReceiveBuffer, boundSendBuffer } from './socket-buffers.ts';

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
