import { expect, test } from 'bun:test';
import { until } from '../../runtime/conditions.fixture.ts';
import { type ByteConnection, NO_OWNER } from './byte-connection.ts';
import { createHttpConnection } from './http-connection.ts';
import { createSendBuffers } from './send-buffers.ts';

/** A connection that takes at most so many bytes of a write, and what it has taken. */
function createConnection(most: { bytes: number }) {
  const taken: Uint8Array[] = [];
  const connection: ByteConnection = {
    owner: NO_OWNER,
    remoteAddress: '10.0.0.1',
    scheme: 'http',
    write(bytes) {
      const now = bytes.subarray(0, most.bytes);
      taken.push(new Uint8Array(now));
      return now.length;
    },
    finish() {},
    close: () => connection.owner.onClose(),
    descriptor: undefined,
    boundSendBuffer() {},
    limitRate() {},
    limitUnacknowledged() {},
  };
  return { connection, text: () => Buffer.concat(taken).toString() };
}

const OPTIONS = {
  onError(error: unknown) {
    throw error;
  },
  onClose() {},
  kernel: undefined,
  maxRequests: 10,
  clientStallTimeoutMs: 60_000,
  maxBodyBytes: 10,
  bodyTimeoutMs: 60_000,
};

test('an answer of which a part was taken goes on as it was, whatever is answered meanwhile', async () => {
  const most = { bytes: 20 };
  const [slow, other] = [createConnection(most), createConnection({ bytes: Infinity })];
  for (const { connection } of [slow, other]) {
    createHttpConnection(connection, {
      ...OPTIONS,
      handler: ({ url }) => ({ status: 200, headers: {}, body: Buffer.alloc(50, url.at(-1)) }),
      bodies: createSendBuffers(),
    });
  }
  const ask = (path: string) => Buffer.from(`GET ${path} HTTP/1.1\r\nHost: node\r\n\r\n`);
  slow.connection.owner.onData(ask('/a'));
  await until(() => slow.text().length === 20);
  other.connection.owner.onData(ask('/b'));
  await until(() => other.text().endsWith('b'.repeat(50)));
  most.bytes = Infinity;
  slow.connection.owner.onWritable();
  expect(slow.text()).toEndWith(`\r\n\r\n${'a'.repeat(50)}`);
  for (const { connection } of [slow, other]) connection.close();
});

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
    ...OPTIONS,
    bodies: createSendBuffers(),
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
