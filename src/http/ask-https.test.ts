import { afterEach, describe, expect, test } from 'bun:test';
import { createSelfSignedCertificate } from '../../scripts/lab/self-signed-certificate.ts';
import { askHttps, type HttpsIdentity } from './ask-https.ts';
import type { HttpServer } from './http-server.ts';
import { createHttpServer } from './buffered-http-server.ts';
import { rejectionOf } from './testing/rejection-of.ts';

/** Signs itself, so it is its own authority. */
const { certificate: cert, privateKey: key } = createSelfSignedCertificate('localhost');
const stranger = createSelfSignedCertificate('localhost');
const TIMEOUT_MS = 5000;

const servers: HttpServer[] = [];
const listeners: Bun.TCPSocketListener[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close(0);
  for (const listener of listeners.splice(0)) listener.stop(true);
});

async function start(): Promise<number> {
  const server = await createHttpServer({
    address: '127.0.0.1:0',
    handler: (request) =>
      new Response('hello', { status: request.headers.get('x-wanted') === null ? 200 : 404 }),
    onError: () => {},
    tls: { ca: cert, cert, key },
  });
  servers.push(server);
  return server.port;
}

const request = (port: number) => ({ host: 'localhost', port, method: 'GET', path: '/readyz' }) as const;

describe('askHttps()', () => {
  test.each<[string, HttpsIdentity]>([
    ['whose authority is known', { ca: [cert], cert, key, skipVerify: false }],
    ['of an unknown authority if that does not matter', { ca: [], cert, key, skipVerify: true }],
  ])('returns the status of a server %s', async (_what, identity) => {
    const port = await start();
    expect(await askHttps(request(port), identity, TIMEOUT_MS)).toBe(200);
    const other = { ...request(port), method: 'HEAD', headers: { 'X-Wanted': '404' } } as const;
    expect(await askHttps(other, identity, TIMEOUT_MS)).toBe(404);
  });

  test.each<[string, Partial<HttpsIdentity>, string?]>([
    ['of an unknown authority', { ca: [] }],
    ['of another authority', { ca: [stranger.certificate] }],
    ['that is called otherwise', {}, '127.0.0.1'],
    ['that wants to know who asks', { cert: undefined, key: undefined }],
  ])('rejects for a server %s', async (_what, identity, host = 'localhost') => {
    const port = await start();
    const all = { ca: [cert], cert, key, skipVerify: false, ...identity };
    const error = await rejectionOf(askHttps({ ...request(port), host }, all, TIMEOUT_MS));
    expect(error).toBeInstanceOf(Error);
  });

  test('rejects when what answers speaks no TLS, says nothing, or is not there', async () => {
    const listen = (open: (socket: Bun.Socket) => void) => {
      const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { open, data() {} } });
      listeners.push(listener);
      return listener.port;
    };
    const identity = { ca: [], skipVerify: true };
    const plain = listen((socket) => void socket.end('HTTP/1.1 200 OK\r\n\r\n'));
    const silent = listen(() => {});
    const shortMs = 100;
    for (const port of [plain, silent, 1]) {
      const ask = askHttps({ ...request(port), host: '127.0.0.1' }, identity, shortMs);
      expect(await rejectionOf(ask)).toBeInstanceOf(Error);
    }
  });
});
