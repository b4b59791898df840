import { expect, test } from 'bun:test';
import { until } from '../../runtime/conditions.fixture.ts';
import { type ByteConnection, NO_OWNER } from './byte-connection.ts';
import { createHttpConnection } from './http-connection.ts';
import { createSendBuffers } from './send-buffers.ts';

test('HttpConnection.busy is false while the body of a request has not come: the connection gives way to a new connection', async () => {
  let isClosed = false;
  const connection: ByteConnection = {
    owner: NO_OWNER,
    remoteAddress: '10.0.0.1',
    scheme: 'http',
    write: (bytes) => bytes.length,
    finish() {},
    close() {
      isClosed = true;
      connection.owner.onClose();
    },
    descriptor: undefined,
    boundSendBuffer() {},
    limitRate() {},
    limitUnacknowledged() {},
  };
  const answer = Promise.withResolvers<Response>();
  const bodies: string[] = [];
  const http = createHttpConnection(connection, {
    handler({ body }) {
      bodies.push(body instanceof Uint8Array ? Buffer.from(body).toString() : '');
      return answer.promise;
    },
    onError(error) {
      throw error;
    },
    onClose() {},
    bodies: createSendBuffers(),
    kernel: undefined,
    maxRequests: 10,
    clientStallTimeoutMs: 60_000,
    maxBodyBytes: 10,
    bodyTimeoutMs: 60_000,
  });
  const send = (text: string) => connection.owner.onData(Buffer.from(text));
  const head = 'POST / HTTP/1.1\r\nHost: node\r\nContent-Length: 5\r\n\r\n';
  send(`${head}hell`);
  expect([http.busy, http.headDue]).toEqual([false, true]);
  send('o');
  await until(() => bodies.length > 0);
  expect([http.busy, bodies]).toEqual([true, ['hello']]);
  answer.resolve(new Response());
  await until(() => !http.busy);
  send(head);
  expect(http.busy).toBe(false);
  http.close();
  expect(isClosed).toBe(true);
  await http.idle();
  expect(bodies).toHaveLength(1);
});
