import { describe, expect, test } from 'bun:test';
import { createServer, type AddressInfo } from 'node:net';
import { boundReceiveBuffer, boundSendBuffers } from './socket-buffers.ts';

describe('boundSendBuffers()', () => {
  test.skipIf(process.platform !== 'linux').each(['::', '127.0.0.1'])(
    'finds the listener on %s by its port',
    async (host) => {
      const server = createServer();
      await new Promise<void>((resolve) => {
        server.listen(0, host, resolve);
      });
      const { port } = server.address() as AddressInfo;
      try {
        expect(boundSendBuffers(port, 65_536)).toBe(true);
        expect(boundSendBuffers(port === 1 ? 2 : 1, 65_536)).toBe(false);
      } finally {
        server.close();
      }
    },
  );
});

describe('boundReceiveBuffer()', () => {
  test.each([-1, 1_000_000])('is false for descriptor %p', (fd) => {
    expect(boundReceiveBuffer(fd, 65_536)).toBe(false);
  });
});
