import { describe, expect, test } from 'bun:test';
import { pattern } from '../testing/pattern.ts';
import { rejectionOf } from '../testing/rejection-of.ts';
import { getRequest } from '../testing/raw-client.ts';
import { okHead, startScriptedPeer } from '../testing/scripted-peer.ts';
import { until } from '../../runtime/conditions.fixture.ts';
import { ASK, MIB, type Rig } from './rig.ts';

/** Requests to peers that answer, lie, or do not. */
export function testPeerRequests({ raw, peer, ask, askBody, serveSources, bodyOf, transport }: Rig): void {
  describe('request()', () => {
    test('uses a connection again after a body was moved, closed unread while small, or answered by a HEAD', async () => {
      const { port, connections, requests } = await peer((socket, n) => {
        socket.write(okHead(500));
        if (n !== 2) socket.write(pattern(500));
      });
      const { server } = await serveSources(500, [() => askBody(port)]);
      const client = await raw(server);
      client.send(getRequest());
      await bodyOf(client, 500);
      (await askBody(port)).close();
      await transport().request({ method: 'HEAD', host: '127.0.0.1', port, path: '/', headers: {} }, ASK);
      (await askBody(port)).close();
      expect(requests.length).toBe(4);
      expect(connections.length).toBe(1);
    });

    test('tells that a peer is there before it answers', async () => {
      const answer = Promise.withResolvers<void>();
      const { port } = await peer((socket) => void answer.promise.then(() => socket.write(okHead(0))));
      let reached = 0;
      const asked = transport().request(
        { method: 'GET', host: '127.0.0.1', port, path: '/', headers: {} },
        { ...ASK, onReached: () => reached++ },
      );
      await until(() => reached === 1);
      answer.resolve();
      (await asked).body?.close();
      expect(reached).toBe(1);
    });

    test.each([
      { what: 'said that it closes', answer: okHead(0, 'Connection: close\r\n') },
      { what: 'sent a body to a HEAD', answer: `${okHead(3)}abc` },
    ])('does not use a connection again on which the peer $what', async ({ answer }) => {
      const { port, connections } = await peer((socket) => {
        socket.write(answer);
      });
      const head = { method: 'HEAD', host: '127.0.0.1', port, path: '/', headers: {} } as const;
      await transport().request(head, ASK);
      await transport().request(head, ASK);
      expect(connections.length).toBe(2);
    });

    test('asks again on a new connection when an idle one turns out to be dead', async () => {
      const { port, connections, requests } = await peer((socket, n) => {
        // The second request meets a connection that the peer closes at that moment.
        if (n === 1) socket.destroy();
        else socket.write(okHead(0));
      });
      await ask(port);
      expect((await ask(port)).status).toBe(200);
      expect(connections.length).toBe(2);
      expect(requests.length).toBe(3);
    });

    test('sends path and headers as they are, and no coding is accepted', async () => {
      const { port, requests } = await peer((socket) => {
        socket.write(okHead(0));
      });
      const path = '/v2/a/b/blobs/sha256:0?ns=r%3A5000';
      const headers = { 'X-Mirrored': 'true', Range: 'bytes=5-' };
      await transport().request({ method: 'GET', host: '127.0.0.1', port, path, headers }, ASK);
      expect(requests[0]).toStartWith(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n`);
      expect(requests[0]).toContain('X-Mirrored: true');
      expect(requests[0]).toContain('Range: bytes=5-');
      expect(requests[0]).toContain('Accept-Encoding: identity');
    });

    test.each([
      { what: 'a Content-Length', answer: okHead(5), sizeBytes: 5 },
      { what: 'no Content-Length', answer: 'HTTP/1.1 200 OK\r\n\r\nabc' },
      {
        what: 'chunks',
        answer: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
      },
      { what: 'a content coding', answer: okHead(5, 'Content-Encoding: gzip\r\n') },
      { what: 'status 204', answer: 'HTTP/1.1 204 No Content\r\n\r\n' },
    ])('gives the body of an answer with $what', async ({ answer, sizeBytes }) => {
      const { port } = await peer((socket) => {
        socket.write(answer);
      });
      const { body } = await ask(port);
      expect(body?.sizeBytes).toBe(sizeBytes as number);
      body?.close();
    });

    test.each([
      { what: 'garbage', answer: 'SSH-2.0-OpenSSH_9.2\r\n\r\n' },
      { what: 'HTTP/1.0', answer: 'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n' },
      { what: 'an interim response', answer: `HTTP/1.1 100 Continue\r\n\r\n${okHead(0)}` },
      { what: 'an endless head', answer: `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(2 * MIB)}` },
      { what: 'endless headers', answer: `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(1000)}\r\n` },
      { what: 'two lengths', answer: okHead(1, 'Content-Length: 2\r\n') },
      { what: 'a negative length', answer: okHead('-1') },
      { what: 'a length beyond numbers', answer: okHead('9'.repeat(30)) },
    ])('rejects $what as INVALID_RESPONSE', async ({ answer }) => {
      const { port } = await peer((socket) => {
        socket.write(answer);
      });
      expect(await rejectionOf(ask(port))).toMatchObject({
        name: 'PeerRequestError',
        code: 'INVALID_RESPONSE',
      });
    });

    test('rejects with CONNECT_FAILED when nobody listens', async () => {
      const dead = await startScriptedPeer(() => {});
      await dead[Symbol.asyncDispose]();
      expect(await rejectionOf(ask(dead.port))).toMatchObject({ code: 'CONNECT_FAILED' });
    });

    test('rejects with HEAD_TIMEOUT when the head does not come', async () => {
      const { port } = await peer((socket) => {
        socket.write('HTTP/1.1 200 OK\r\n');
      });
      const asked = transport().request(
        { method: 'GET', host: '127.0.0.1', port, path: '/', headers: {} },
        { ...ASK, headTimeoutMs: 30 },
      );
      expect(await rejectionOf(asked)).toMatchObject({ code: 'HEAD_TIMEOUT' });
    });

    test('rejects with HEAD_TIMEOUT when the head comes byte by byte, however long that takes', async () => {
      const { port, connections } = await peer((socket) => {
        const drip = setInterval(() => socket.write('x'), 5);
        socket.once('close', () => clearInterval(drip));
        socket.write('HTTP/1.1 200 OK\r\nX: ');
      });
      const asked = transport().request(
        { method: 'HEAD', host: '127.0.0.1', port, path: '/', headers: {} },
        { ...ASK, headTimeoutMs: 50 },
      );
      expect(await rejectionOf(asked)).toMatchObject({ code: 'HEAD_TIMEOUT' });
      await until(() => connections[0]?.destroyed === true);
    });

    test('rejects with CONNECTION_LOST when the peer closes without an answer', async () => {
      const { port, connections } = await peer((socket) => socket.destroy());
      expect(await rejectionOf(ask(port))).toMatchObject({ code: 'CONNECTION_LOST' });
      expect(connections.length).toBe(1);
    });

    test('rejects with CANCELLED at the signal, and closes the connection', async () => {
      const cancel = new AbortController();
      const { port, connections } = await peer(() => cancel.abort());
      const asked = transport().request(
        { method: 'GET', host: '127.0.0.1', port, path: '/', headers: {} },
        { ...ASK, signal: cancel.signal },
      );
      expect(await rejectionOf(asked)).toMatchObject({ code: 'CANCELLED' });
      await until(() => connections[0]?.destroyed === true);
    });

    test('is refused after close()', async () => {
      await transport().close();
      expect(await rejectionOf(ask(1))).toMatchObject({ code: 'CANCELLED' });
    });

    test.each([
      { path: '/a b', headers: {} },
      { path: 'http://x/', headers: {} },
      { path: '/', headers: { 'X-A': 'a\r\nX-B: b' } },
      { path: '/', headers: { 'X A': 'a' } },
    ])('throws for what would not arrive as it is: $path $headers', async ({ path, headers }) => {
      const asked = transport().request({ method: 'GET', host: '127.0.0.1', port: 1, path, headers }, ASK);
      expect(await rejectionOf(asked)).toBeInstanceOf(TypeError);
    });
  });
}
