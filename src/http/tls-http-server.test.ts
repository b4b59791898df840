import { afterEach, describe, expect, test } from 'bun:test';
import { connect } from 'node:tls';
import { createSelfSignedCertificate } from '../../scripts/lab/self-signed-certificate.ts';
import type { HttpServer, RequestHandler } from './http-server.ts';
import { MAX_HEAD_BYTES } from './limits.ts';
import { createHttpServer, type BufferedHttpServerLimits } from './buffered-http-server.ts';
import { connectRaw } from './testing/raw-client.ts';
import { rejectionOf } from './testing/rejection-of.ts';
import type { MoveEnd } from './transport.ts';
import { until } from '../runtime/conditions.fixture.ts';

/** Signs itself, so it is its own authority. */
const { certificate: cert, privateKey: key } = createSelfSignedCertificate('localhost');
const tls = { ca: cert, cert, key };
const stranger = createSelfSignedCertificate('localhost');

const servers: HttpServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close(0);
});

async function start(
  limits: BufferedHttpServerLimits & { readonly handler?: RequestHandler } = {},
): Promise<HttpServer> {
  const server = await createHttpServer({
    address: '127.0.0.1:0',
    handler: (request) => new Response(`hello ${new URL(request.url).pathname}`),
    onError: () => {},
    tls,
    ...limits,
  });
  servers.push(server);
  return server;
}

async function ask(
  server: HttpServer,
  clientTls: { ca?: string; cert?: string; key?: string },
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`https://localhost:${server.port}/id`, {
    tls: clientTls,
    keepalive: false,
    headers,
    signal: AbortSignal.timeout(5000),
  });
}

describe('createHttpServer() with certificates', () => {
  test('what a client has not taken yet is not touched by answers to others', async () => {
    const [bytes, answers] = [60_000, 300];
    let asked = 0;
    let askedMs = Infinity;
    const handler: RequestHandler = ({ url }) => {
      if (url.endsWith('/a')) {
        asked++;
        askedMs = performance.now();
      }
      return { status: 200, headers: {}, body: Buffer.alloc(bytes, url.at(-1)) };
    };
    const server = await start({ handler });
    const slow = connect({ port: server.port, host: 'localhost', ...tls });
    try {
      const chunks: Buffer[] = [];
      slow.pause();
      slow.write('GET /a HTTP/1.1\r\nHost: node\r\n\r\n'.repeat(answers));
      await until(() => performance.now() - askedMs > 100);
      expect(asked).toBeLessThan(answers);
      for (let n = 0; n < 20; n++) {
        const other = await fetch(`https://localhost:${server.port}/b`, { tls, keepalive: false });
        expect((await other.arrayBuffer()).byteLength).toBe(bytes);
      }
      slow.on('data', (chunk: Buffer) => chunks.push(chunk));
      slow.resume();
      const lengthOf = () => chunks.reduce((sum, { length }) => sum + length, 0);
      await until(() => lengthOf() > answers * bytes);
      const heads = /HTTP\/1\.1 200 OK\r\n(?:[^\r\n]+\r\n)+\r\n/;
      await until(() => Buffer.concat(chunks).toString('latin1').split(heads).at(-1)?.length === bytes);
      const bodies = Buffer.concat(chunks).toString('latin1').split(heads);
      expect(bodies.filter((body) => body !== 'a'.repeat(bytes))).toEqual(['']);
    } finally {
      slow.destroy();
    }
  });

  test('serves clients with a certificate of the same authority', async () => {
    const response = await ask(await start(), tls);
    expect([response.status, await response.text()]).toEqual([200, 'hello /id']);
    expect(response.headers.get('content-length')).toBe('9');
  });

  test.each([
    ['without a certificate', { ca: cert }],
    [
      'with a certificate of another authority',
      { ca: cert, cert: stranger.certificate, key: stranger.privateKey },
    ],
  ])('refuses a client %s, and goes on', async (_who, clientTls) => {
    const server = await start();
    await rejectionOf(ask(server, clientTls));
    expect((await ask(server, tls)).status).toBe(200);
  });

  test('is refused by a client that expects another authority', async () => {
    await rejectionOf(ask(await start(), { ...tls, ca: stranger.certificate }));
  });

  test('keeps the limits', async () => {
    const server = await start();
    const large = await ask(server, tls, { a: 'a'.repeat(MAX_HEAD_BYTES) });
    expect(large.status).toBe(431);
  });

  test.each([
    ['nothing', ''],
    ['plain HTTP', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['half a hello', '\u0016\u0003\u0001\u0002'],
  ])('closes a connection on which %s comes', async (_what, text) => {
    const server = await start({ headReceiveTimeoutMs: 50, connectionsCheckIntervalMs: 10 });
    using client = await connectRaw(server.port);
    client.send(text);
    await until(() => client.end !== 'open');
    expect((await ask(server, tls)).status).toBe(200);
  });

  test('closes an idle connection', async () => {
    const server = await start({ keepAliveTimeoutMs: 50 });
    const closed = Promise.withResolvers<void>();
    connect({ port: server.port, host: 'localhost', ...tls })
      .on('close', () => closed.resolve())
      .resume();
    await closed.promise;
  });

  test('takes no more than the most connections, those in their handshake included', async () => {
    const server = await start({ maxConnections: 2 });
    using _first = await connectRaw(server.port);
    using second = await connectRaw(server.port);
    using third = await connectRaw(server.port);
    await until(() => third.end !== 'open');
    second.socket.destroy();
    // The server hears of it a moment later.
    const isServed = async () =>
      ask(server, tls).then(
        ({ ok }) => ok,
        () => false,
      );
    const deadline = performance.now() + 4000;
    while (!(await isServed())) expect(performance.now()).toBeLessThan(deadline);
  });

  test('closes with connections in their handshake', async () => {
    const server = await start();
    using client = await connectRaw(server.port);
    await server.close(0);
    await until(() => client.end !== 'open');
  });

  test('takes other certificates while it runs', async () => {
    const server = await start();
    const { certificate, privateKey } = stranger;
    const other = { ca: certificate, cert: certificate, key: privateKey };
    server.replaceTls(other);
    expect((await ask(server, other)).status).toBe(200);
    await rejectionOf(ask(server, tls));
    expect(() => server.replaceTls({ ...other, key })).toThrow();
    expect((await ask(server, other)).status).toBe(200);
  });

  test('rejects when the key does not belong to the certificate', async () => {
    const options = { address: '127.0.0.1:0', handler: () => new Response(), onError: () => {} };
    await rejectionOf(createHttpServer({ ...options, tls: { ...tls, key: stranger.privateKey } }));
  });

  test('moves nothing after a response was broken off', async () => {
    const ends: MoveEnd[] = [];
    const server = await start({
      handler: async (_request, client) => {
        client.begin({ status: 200, headers: {}, contentLength: 1000 });
        ends.push(await client.moveBytes(new Uint8Array(400)));
        client.breakOff();
        ends.push(await client.moveBytes(new Uint8Array(400)));
        return new Response();
      },
    });
    await rejectionOf(ask(server, tls).then(async (response) => response.arrayBuffer()));
    expect(ends).toEqual([
      { how: 'complete', movedBytes: 400 },
      { how: 'client-gone', movedBytes: 0 },
    ]);
  });
});
