import { expect, test } from 'bun:test';
import type { Transport } from '@libp2p/interface';
import { type TCPComponents } from '@libp2p/tcp';
import { multiaddr } from '@multiformats/multiaddr';

import { abortableTcp } from './abortable-tcp.ts';
import { failureOf } from '../runtime/conditions.fixture.ts';

const silent = Object.assign(() => {}, { error() {}, trace() {}, enabled: false, newScope: () => silent });
const components = { logger: { forComponent: () => silent } } as unknown as TCPComponents;

test('abortableTcp() leaves no error uncaught when a dial is aborted', async () => {
  const uncaught: unknown[] = [];
  const onUncaught = (error: unknown) => void uncaught.push(error);
  process.on('uncaughtException', onUncaught);
  const server = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } });
  try {
    const transport: Transport = abortableTcp()(components);
    const abort = new AbortController();
    const dialed = transport.dial(multiaddr(`/ip4/127.0.0.1/tcp/${server.port}`), {
      signal: abort.signal,
      // Never reached: the dial is aborted before the connection is there.
      upgrader: undefined as never,
    });
    abort.abort();
    expect((await failureOf(dialed)).name).toBe('AbortError');
    // The socket's own error comes a few turns later.
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
    expect(uncaught).toEqual([]);
  } finally {
    server.stop(true);
    process.off('uncaughtException', onUncaught);
  }
});
