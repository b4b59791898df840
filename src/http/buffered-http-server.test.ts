import { afterEach, describe, expect, test } from 'bun:test';
import { networkInterfaces } from 'node:os';
import type { ClientResponse } from './transport.ts';
import type { HandlerAnswer, HttpServer, RequestHandler } from './http-server.ts';
import { MAX_HEADER_COUNT, MAX_HEAD_BYTES } from './limits.ts';
import { createHttpServer, type BufferedHttpServerLimits } from './buffered-http-server.ts';
import { connectRaw, getRequest, type RawClient } from './testing/raw-client.ts';
import { rejectionOf } from './testing/rejection-of.ts';
import { until } from '../runtime/conditions.fixture.ts';

const servers: HttpServer[] = [];
const errors: unknown[] = [];

const start = async (
  handler: RequestHandler,
  limits: BufferedHttpServerLimits & { address?: string } = {},
): Promise<HttpServer> => {
  const server = await createHttpServer({
    address: '127.0.0.1:0',
    handler,
    onError: (error) => errors.push(error),
    ...limits,
  });
  servers.push(server);
  return server;
};
const hello: RequestHandler = () => new Response('hello', { headers: { 'X-A': '1' } });
/** Sends text and gives all that comes until the server ends the connection. */
const exchange = async (server: HttpServer, text: string) => {
  using client = await connectRaw(server.port);
  client.send(text);
  await until(() => client.end !== 'open');
  return { text: client.received.toString('latin1'), end: client.end };
};
/** Of all answers so far, in order. */
const statuses = ({ received }: RawClient) =>
  [...received.toString('latin1').matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
const CLOSE = 'Connection: close\r\n';

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close(0);
  errors.length = 0;
});

describe('createHttpServer()', () => {
  test('gives the handler method, target and headers as sent', async () => {
    const seen: unknown[] = [];
    const server = await start((request) => {
      seen.push(request.method, request.url, request.headers.get('range'), request.headers.get('x-a'));
      return new Response();
    });
    const target = '/v2/a%20b/blobs/sha256:0?ns=r%3A5000';
    await exchange(server, getRequest(target, `Range: bytes=1-\r\nX-A: 1\r\nX-A: 2\r\n${CLOSE}`));
    expect(seen).toEqual(['GET', `http://node.invalid${target}`, 'bytes=1-', '1, 2']);
  });

  const plain = (status: number, headers: Record<string, string>, body?: string) => () => ({
    status,
    headers,
    body: body === undefined ? undefined : Buffer.from(body),
  });
  test.each<{ method: string; response: RequestHandler; length: string | undefined; body: string }>([
    { method: 'GET', response: plain(200, {}, 'hello'), length: '5', body: 'hello' },
    { method: 'HEAD', response: plain(200, {}, 'hello'), length: '5', body: '' },
    { method: 'HEAD', response: plain(200, { 'content-length': '12345' }), length: '12345', body: '' },
    { method: 'GET', response: plain(404, {}), length: '0', body: '' },
    { method: 'GET', response: plain(200, { 'content-length': '99' }, 'hello'), length: '5', body: 'hello' },
    { method: 'HEAD', response: plain(404, {}), length: undefined, body: '' },
    { method: 'GET', response: () => new Response('hello'), length: '5', body: 'hello' },
    { method: 'HEAD', response: () => new Response('hello'), length: '5', body: '' },
    {
      method: 'HEAD',
      response: () => new Response(null, { headers: { 'Content-Length': '12345' } }),
      length: '12345',
      body: '',
    },
    { method: 'GET', response: () => new Response(null), length: '0', body: '' },
    { method: 'GET', response: () => new Response(null, { status: 404 }), length: '0', body: '' },
    {
      method: 'GET',
      response: () => new Response('hello', { headers: { 'Content-Length': '99' } }),
      length: '5',
      body: 'hello',
    },
    { method: 'HEAD', response: () => new Response(''), length: '0', body: '' },
    { method: 'HEAD', response: () => new Response(null), length: undefined, body: '' },
    { method: 'HEAD', response: () => new Response(null, { status: 404 }), length: undefined, body: '' },
  ])(
    'sends the Content-Length of a GET, or none: $method -> $length',
    async ({ method, response, length, body }) => {
      const server = await start(response);
      const { text } = await exchange(server, `${method} / HTTP/1.1\r\nHost: x\r\n${CLOSE}\r\n`);
      expect(/\r\ncontent-length: (.*)\r\n/i.exec(text)?.[1]).toBe(length);
      expect(text.toLowerCase()).not.toContain('transfer-encoding');
      expect(text.slice(text.indexOf('\r\n\r\n') + 4)).toBe(body);
    },
  );

  test.each(['GET', 'HEAD'])('a refusal has a body for a GET alone: %s', async (method) => {
    const { text } = await exchange(await start(hello), `${method} /v2/../x HTTP/1.1\r\nHost: x\r\n\r\n`);
    const [head = '', body = ''] = text.split('\r\n\r\n');
    expect(head).toStartWith('HTTP/1.1 400 ');
    expect(body.length > 0).toBe(method === 'GET');
  });

  test.each([
    ['/v2/a%2Fb/blobs/sha256%3A0?ns=r%3A1', '/v2/a/b/blobs/sha256:0?ns=r%3A1'],
    ['http://node/v2/a/manifests/v1?ns=r', '/v2/a/manifests/v1?ns=r'],
    // Another host than the header has, which is to be ignored (RFC 9112, 3.2.2).
    ['http://10.0.0.1:5000/v2/a/manifests/v1?ns=r', '/v2/a/manifests/v1?ns=r'],
  ])('gives the handler %s as %s', async (target, path) => {
    const server = await start(({ url }) => new Response(url));
    expect((await exchange(server, getRequest(target, CLOSE))).text).toEndWith(
      `\r\n\r\nhttp://node.invalid${path}`,
    );
  });

  test('passes over empty lines before a request, wherever packets split them', async () => {
    const server = await start(hello);
    using client = await connectRaw(server.port);
    client.socket.setNoDelay(true);
    const parts = [
      '\r',
      '\n\r',
      '\n',
      `\r\n${getRequest()}\r`,
      `\n${getRequest()}`,
      '\r',
      `\n${getRequest('/', CLOSE)}`,
    ];
    for (const part of parts) {
      client.send(part);
      // Each comes by itself: the server, which is in this process, has read the part before.
      await Bun.sleep(5);
    }
    await until(() => client.end !== 'open');
    expect(statuses(client)).toEqual(['200', '200', '200']);
  });

  test('refuses to begin a response after the handler has returned', async () => {
    const clients: ClientResponse[] = [];
    const server = await start((_request, client) => {
      clients.push(client);
      return new Response('hello');
    });
    using client = await connectRaw(server.port);
    client.send(getRequest());
    await until(() => client.received.includes('hello'));
    expect(() => clients[0]?.begin({ status: 200, headers: {}, contentLength: 0 })).toThrow('has returned');
    client.send(getRequest('/', CLOSE));
    await until(() => client.end !== 'open');
    expect(statuses(client)).toEqual(['200', '200']);
  });

  test('answers 500 and reports when the handler throws', async () => {
    const server = await start(() => {
      throw new Error('broken');
    });
    expect((await exchange(server, getRequest('/', CLOSE))).text).toStartWith('HTTP/1.1 500 ');
    expect(errors).toMatchObject([{ message: 'broken' }]);
  });

  test('breaks off and reports when the handler throws after it began', async () => {
    const server = await start((_request, client) => {
      client.begin({ status: 200, headers: {}, contentLength: 10 });
      throw new Error('broken');
    });
    const { text, end } = await exchange(server, getRequest());
    expect(text).toStartWith('HTTP/1.1 200 ');
    expect(end).toBe('fin');
    expect(errors).toMatchObject([{ message: 'broken' }]);
  });

  test.each([
    { what: 'a TLS hello', text: '\u0016\u0003\u0001\u0002\r\n\r\n', status: 400 },
    { what: 'HTTP/2', text: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', status: 400 },
    { what: 'no Host', text: `GET / HTTP/1.1\r\n${CLOSE}\r\n`, status: 400 },
    { what: 'two Hosts', text: getRequest('/', `Host: y\r\n${CLOSE}`), status: 400 },
    { what: 'a NUL in a header', text: getRequest('/', 'A: \u0000\r\n'), status: 400 },
    { what: 'a folded header', text: getRequest('/', 'A: b\r\n c\r\n'), status: 400 },
    { what: 'a space before the colon', text: getRequest('/', 'A : b\r\n'), status: 400 },
    { what: 'lone LFs', text: 'GET / HTTP/1.1\nHost: x\n\n', status: 400 },
    { what: 'two lengths', text: getRequest('/', 'Content-Length: 1\r\nContent-Length: 2\r\n'), status: 400 },
    {
      what: 'a length and chunks',
      text: getRequest('/', 'Content-Length: 1\r\nTransfer-Encoding: chunked\r\n'),
      status: 400,
    },
    { what: 'dot segments', text: getRequest('/v2/%2e%2e/x', CLOSE), status: 400 },
    { what: 'an absolute target of another scheme', text: getRequest('https://x/', CLOSE), status: 400 },
    { what: 'a percent sign that is encoded', text: getRequest('/v2/%253A', CLOSE), status: 400 },
    { what: 'a CR that no LF follows', text: `\r${getRequest('/', CLOSE)}`, status: 400 },
    { what: 'a long target', text: getRequest(`/${'a'.repeat(4000)}`, CLOSE), status: 414 },
    { what: 'a large head', text: getRequest('/', `A: ${'a'.repeat(MAX_HEAD_BYTES)}\r\n`), status: 431 },
    { what: 'many headers', text: getRequest('/', 'A: b\r\n'.repeat(MAX_HEADER_COUNT + 1)), status: 431 },
  ])('answers $status to $what, closes, and goes on', async ({ text, status }) => {
    let handled = 0;
    const server = await start(() => {
      handled += 1;
      return new Response();
    });
    const answer = await exchange(server, text);
    expect(answer.text).toStartWith(`HTTP/1.1 ${status} `);
    expect(answer.end).toBe('fin');
    expect(handled).toBe(0);
    expect((await exchange(server, getRequest('/', CLOSE))).text).toStartWith('HTTP/1.1 200 ');
  });

  test.each([
    { what: 'a length', headers: 'Content-Length: 5\r\n', body: 'hello' },
    { what: 'a body that does not come', headers: 'Content-Length: 5000000\r\n', body: '' },
    { what: 'a large body', headers: 'Content-Length: 3000000\r\n', body: 'x'.repeat(3_000_000) },
    { what: 'chunks', headers: 'Transfer-Encoding: chunked\r\n', body: '5\r\nhello\r\n0\r\n\r\n' },
    { what: 'an expectation', headers: 'Expect: 100-continue\r\nContent-Length: 5\r\n', body: '' },
  ])('answers a request with $what and closes with FIN', async ({ headers, body }) => {
    const methods: string[] = [];
    const server = await start(({ method }) => {
      methods.push(method);
      return new Response('no', { status: 405 });
    });
    const { text, end } = await exchange(server, `POST / HTTP/1.1\r\nHost: x\r\n${headers}\r\n${body}`);
    expect(text).toStartWith('HTTP/1.1 405 ');
    expect(end).toBe('fin');
    expect(methods).toEqual(['POST']);
  });

  test('answers requests that were sent ahead one after the other', async () => {
    let running = 0;
    let most = 0;
    const server = await start(async (request) => {
      running += 1;
      most = Math.max(most, running);
      await Bun.sleep(1);
      running -= 1;
      return new Response(new URL(request.url).pathname);
    });
    const { text } = await exchange(
      server,
      `${getRequest('/1')}${getRequest('/2')}${getRequest('/3', CLOSE)}`,
    );
    expect(text.match(/\r\n\r\n\/\d/g)).toEqual(['\r\n\r\n/1', '\r\n\r\n/2', '\r\n\r\n/3']);
    expect(most).toBe(1);
  });

  test('cuts off a client that sends too many requests ahead', async () => {
    let handled = 0;
    const server = await start(async () => {
      handled += 1;
      await Bun.sleep(5);
      return new Response();
    });
    await exchange(server, getRequest().repeat(5000));
    expect(handled).toBeLessThan(50);
  });

  test('cuts off a client that sends too many requests ahead at once', async () => {
    let handled = 0;
    const server = await start(async () => {
      handled += 1;
      await new Promise(() => {});
      return new Response();
    });
    using client = await connectRaw(server.port);
    client.send(getRequest().repeat(2000));
    // The server, which is in this process, reads all of it at once.
    await until(() => client.end !== 'open');
    expect(handled).toBe(1);
  });

  test('answers the next request when the client has taken the answer before', async () => {
    let handled = 0;
    const server = await start(() => {
      handled += 1;
      return new Response(new Uint8Array(60 * 1024));
    });
    const requests = 600;
    using client = await connectRaw(server.port);
    client.socket.pause();
    client.send(getRequest().repeat(requests));
    let seen = -1;
    await until(() => {
      const isStill = seen === handled && handled > 0;
      seen = handled;
      return isStill;
    });
    expect(handled).toBeLessThan(requests / 2);
    client.socket.resume();
    await until(() => handled === requests);
    expect(client.end).toBe('open');
  });

  test('closes after the most requests per connection, and says so', async () => {
    const server = await start(hello, { maxRequestsPerConnection: 2 });
    const { text } = await exchange(server, getRequest().repeat(2));
    expect(text.match(/connection: (keep-alive|close)/gi)?.map((match) => match.toLowerCase())).toEqual([
      'connection: keep-alive',
      'connection: close',
    ]);
  });

  test.each([
    { what: 'nothing', text: '' },
    { what: 'half a head', text: 'GET / HTTP/1.1\r\nHost: x\r\n' },
  ])('closes a connection on which $what comes', async ({ text }) => {
    const server = await start(hello, { headReceiveTimeoutMs: 30, connectionsCheckIntervalMs: 10 });
    expect((await exchange(server, text)).end).toBe('fin');
  });

  test.each([
    { what: 'a head comes byte by byte', start: 'GET / HTTP/1.1\r\nHost: x\r\nA: ', more: 'b' },
    { what: 'empty lines come', start: '\r\n', more: '\r\n' },
    { what: 'empty lines come byte by byte', start: '\r', more: '\n\r' },
  ])('closes a connection on which $what', async ({ start: first, more }) => {
    const server = await start(hello, { headReceiveTimeoutMs: 50, connectionsCheckIntervalMs: 10 });
    using client = await connectRaw(server.port);
    client.send(first);
    const drip = setInterval(() => client.send(more), 5);
    await until(() => client.end !== 'open').finally(() => clearInterval(drip));
    expect(client.received.length).toBe(0);
  });

  test('closes an idle connection', async () => {
    const server = await start(hello, { keepAliveTimeoutMs: 30 });
    expect((await exchange(server, getRequest())).text).toEndWith('hello');
  });

  test('takes no more than the most connections, and new ones once others are gone', async () => {
    let running = 0;
    const server = await start(
      async (request, client) => {
        if (request.url.endsWith('/free')) return new Response();
        running += 1;
        await until(() => client.gone.aborted);
        return new Response();
      },
      { maxConnections: 2 },
    );
    const first = await connectRaw(server.port);
    first.send(getRequest());
    using second = await connectRaw(server.port);
    second.send(getRequest());
    await until(() => running === 2);
    using third = await connectRaw(server.port);
    await until(() => third.end !== 'open');
    first[Symbol.dispose]();
    const tryAgain = async () => {
      using fourth = await connectRaw(server.port);
      fourth.send(getRequest('/free'));
      await until(() => fourth.received.length > 0 || fourth.end !== 'open');
      return fourth.received.length > 0;
    };
    // When the server learns that the first is gone is not ours to say.
    const deadlineMs = performance.now() + 30_000;
    let taken = false;
    while (!taken && performance.now() < deadlineMs) taken = await tryAgain();
    expect(taken).toBe(true);
  });

  test('closes the connection that was idle for the longest time when a new connection finds no place', async () => {
    const server = await start(hello, { maxConnections: 2 });
    const clients: RawClient[] = [];
    for (let n = 0; n < 4; n++) {
      const client = await connectRaw(server.port);
      clients.push(client);
      client.send(getRequest());
      await client.head();
    }
    await until(() => clients.slice(0, 2).every(({ end }) => end !== 'open'));
    expect(clients.slice(2).map(({ end }) => end)).toEqual(['open', 'open']);
    for (const client of clients) client[Symbol.dispose]();
  });

  test.each<[what: string, answer: HandlerAnswer]>([
    ['an answer', new Response(new Uint8Array(64 * 1024 * 1024))],
    ['a stream', { status: 200, headers: {}, next: async () => new Uint8Array(1024 * 1024) }],
  ])('gives up a client that takes no bytes of %s', async (_what, answer) => {
    let gone = false;
    const server = await start(
      (_request, client) => {
        client.gone.addEventListener('abort', () => {
          gone = true;
        });
        return answer;
      },
      { clientStallTimeoutMs: 50 },
    );
    using client = await connectRaw(server.port);
    client.socket.pause();
    client.send(getRequest());
    await until(() => gone);
  });

  test.each([
    { what: 'small answers', sizeBytes: 10 },
    { what: 'an answer larger than all buffers', sizeBytes: 32 * 1024 * 1024 },
  ])('answers a client that half-closes after its requests: $what', async ({ sizeBytes }) => {
    let gone = false;
    const server = await start(async (_request, client) => {
      await Bun.sleep(20);
      client.gone.addEventListener('abort', () => {
        gone = true;
      });
      return new Response(new Uint8Array(sizeBytes));
    });
    using client = await connectRaw(server.port);
    client.socket.end(getRequest('/1') + getRequest('/2'));
    await until(() => client.end !== 'open');
    expect(client.end).toBe('fin');
    expect(client.received.toString('latin1').match(/HTTP\/1.1 200 /g)?.length).toBe(2);
    expect(client.received.length).toBeGreaterThan(2 * sizeBytes);
    expect(gone).toBe(false);
  });

  test('a client that leaves while it waits for its answer is gone', async () => {
    let gone = false;
    const server = await start(async (_request, client) => {
      await until(() => client.gone.aborted);
      gone = true;
      return new Response();
    });
    const client = await connectRaw(server.port);
    client.send(getRequest());
    client.socket.end();
    await until(() => gone);
  });

  const post = (body: string, headers = `Content-Length: ${body.length}\r\n`) =>
    `POST / HTTP/1.1\r\nHost: node\r\n${headers}\r\n${body}`;
  /** Answers with the body in capitals. */
  const shout: RequestHandler = ({ body }) =>
    new Response(body instanceof Uint8Array ? Buffer.from(body).toString().toUpperCase() : 'no body');

  test('gives the handler bodies, however they come, and then the next request', async () => {
    const server = await start(shout, { maxBodyBytes: 100 });
    using client = await connectRaw(server.port);
    const [first, second] = [post('hello'), post('world')];
    client.send(first.slice(0, -3));
    await Bun.sleep(5);
    client.send(first.slice(-3) + second + getRequest('/', CLOSE));
    await until(() => client.end !== 'open');
    const bodies = client.received.toString('latin1').split('\r\n\r\n').slice(1);
    expect(bodies.map((body) => body.replace(/HTTP.*/s, ''))).toEqual(['HELLO', 'WORLD', 'no body']);
  });

  test.each([
    { what: 'a body that is too long', text: post('x'.repeat(101)), status: '413' },
    { what: 'a body that is much too long', text: post('x'.repeat(100_000)), status: '413' },
    { what: 'chunks', text: post('0\r\n\r\n', 'Transfer-Encoding: chunked\r\n'), status: '411' },
    { what: 'a body that does not come', text: post('', 'Content-Length: 5\r\n'), status: '408' },
  ])('refuses $what', async ({ text, status }) => {
    const server = await start(shout, { maxBodyBytes: 100, headReceiveTimeoutMs: 30 });
    const answer = await exchange(server, text);
    expect(answer.text).toStartWith(`HTTP/1.1 ${status} `);
    expect(answer.end).toBe('fin');
  });

  test('ends when a client leaves in the middle of a body', async () => {
    let handled = 0;
    const server = await start(
      () => {
        handled++;
        return new Response();
      },
      { maxBodyBytes: 100 },
    );
    using client = await connectRaw(server.port);
    client.socket.end(post('', 'Content-Length: 5\r\n'));
    await until(() => client.end !== 'open');
    expect(client.received.toString('latin1')).toStartWith('HTTP/1.1 400 ');
    expect(handled).toBe(0);
  });

  test('drops bodies where none are taken', async () => {
    const server = await start(shout);
    expect((await exchange(server, post('hello'))).text).toEndWith('no body');
  });

  test('closes an idle connection when the client half-closes', async () => {
    const server = await start(hello);
    using client = await connectRaw(server.port);
    client.send(getRequest());
    await client.head();
    client.socket.end();
    await until(() => client.end !== 'open');
    expect(client.end).toBe('fin');
  });

  test('listens on IPv4 and IPv6 without a host', async () => {
    const server = await start(hello, { address: ':0' });
    const hasIpv6 = Object.values(networkInterfaces()).some((addresses) =>
      addresses?.some(({ address }) => address === '::1'),
    );
    for (const host of hasIpv6 ? ['127.0.0.1', '::1'] : ['127.0.0.1']) {
      using client = await connectRaw(server.port, host);
      client.send(getRequest());
      expect((await client.head()).text).toStartWith('HTTP/1.1 200 ');
    }
  });

  test.each(['127.0.0.1', ''])('rejects with EADDRINUSE that names the address (%p)', async (host) => {
    const { port } = await start(hello, { address: `${host}:0` });
    expect(await rejectionOf(start(hello, { address: `${host}:${port}` }))).toMatchObject({
      code: 'EADDRINUSE',
      message: `Cannot listen on ${host}:${port}: another process listens there`,
    });
  });
});

describe('HttpServer.close()', () => {
  test('lets a running response finish, closes idle connections, and refuses new ones', async () => {
    const release = Promise.withResolvers<void>();
    let running = false;
    const server = await start(async (request) => {
      if (request.url.endsWith('/slow')) {
        running = true;
        await release.promise;
      }
      return new Response('hello');
    });
    using idle = await connectRaw(server.port);
    idle.send(getRequest());
    await idle.head();
    using busy = await connectRaw(server.port);
    busy.send(getRequest('/slow'));
    await until(() => running);
    const closed = server.close(5000);
    await until(() => idle.end !== 'open');
    expect(await rejectionOf(connectRaw(server.port))).toMatchObject({ code: 'ECONNREFUSED' });
    release.resolve();
    await closed;
    await until(() => busy.end !== 'open');
    expect(busy.received.toString()).toEndWith('hello');
  });

  test('lets a slow client have the rest of a small answer', async () => {
    let handled = 0;
    const body = new Uint8Array(60 * 1024);
    const server = await start(() => {
      handled += 1;
      return new Response(body);
    });
    using client = await connectRaw(server.port);
    client.socket.pause();
    client.send(getRequest().repeat(600));
    let seen = -1;
    await until(() => {
      const isStill = seen === handled && handled > 0;
      seen = handled;
      return isStill;
    });
    const closed = server.close(5000);
    client.socket.resume();
    await closed;
    await until(() => client.end !== 'open');
    const lastHead = client.received.lastIndexOf('HTTP/1.1 200 ');
    const bodyStart = client.received.indexOf('\r\n\r\n', lastHead) + 4;
    expect(client.received.length - bodyStart).toBe(body.length);
    expect(client.end).toBe('fin');
  });

  test('breaks off what runs longer than the grace', async () => {
    let running = false;
    const server = await start(async (_request, client) => {
      client.begin({ status: 200, headers: {}, contentLength: 10 });
      running = true;
      await new Promise(() => {});
      return new Response();
    });
    using client = await connectRaw(server.port);
    client.send(getRequest());
    await until(() => running);
    await server.close(10);
    await until(() => client.end !== 'open');
    expect(client.end).toBe('fin');
    await server.close(10);
  });
});
