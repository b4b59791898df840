import { afterEach, describe, expect, test } from 'bun:test';

import { failureOf } from '../runtime/conditions.fixture.ts';
import { createHttpBootstrapper } from './http-bootstrapper.ts';

const ENTRY = {
  ID: '12D3KooWDPgHJaDd8bfqssKonURarTz9V4XGkehuc6o91EXbPe7Y',
  Addrs: ['/ip4/10.0.0.1/tcp/5001'],
};
const never = new AbortController().signal;

const servers: ReturnType<typeof Bun.serve>[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map(async (server) => server.stop(true)));
});

function serve(handler: (path: string) => Response | Promise<Response>): string {
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: async (request) => handler(new URL(request.url).pathname),
  });
  servers.push(server);
  return `http://127.0.0.1:${server.port}`;
}

describe('createHttpBootstrapper()', () => {
  const cases: [string, string][] = [
    ['', '/id'],
    ['/', '/id'],
    ['/id', '/id'],
    ['/ids', '/ids'],
    ['/some/where', '/some/where'],
  ];
  test.each(cases)('asks the base URL with %p for %s', async (suffix, expected) => {
    const url = serve((path) =>
      path === expected ? Response.json([ENTRY]) : new Response(null, { status: 404 }),
    );
    const peers = await createHttpBootstrapper({ url: `${url}${suffix}` }).peers(never);
    expect(peers).toEqual([{ id: ENTRY.ID, multiaddrs: ENTRY.Addrs }]);
  });

  test('goes past a proxy of the environment', async () => {
    const proxied: string[] = [];
    const proxy = serve((path) => {
      proxied.push(path);
      return new Response('proxy');
    });
    const url = serve(() => Response.json(ENTRY));
    const before = process.env['HTTP_PROXY'];
    process.env['HTTP_PROXY'] = proxy;
    try {
      expect(await createHttpBootstrapper({ url }).peers(never)).toHaveLength(1);
    } finally {
      if (before === undefined) delete process.env['HTTP_PROXY'];
      else process.env['HTTP_PROXY'] = before;
    }
    expect(proxied).toEqual([]);
  });

  const refusals: [name: string, answer: () => Response, message: string][] = [
    ['an error', () => new Response('no', { status: 500 }), 'status 500'],
    ['a redirect', () => Response.redirect('http://127.0.0.1:1/id'), 'Cannot get'],
    ['something else', () => new Response('hello'), 'as bootstrap document'],
    ['too much', () => new Response('['.repeat(100_000)), 'larger than'],
  ];
  test.each(refusals)('rejects %s', async (_name, answer, message) => {
    expect((await failureOf(createHttpBootstrapper({ url: serve(answer) }).peers(never))).message).toContain(
      message,
    );
  });

  test('rejects an answer that does not come in time', async () => {
    const hang = Promise.withResolvers<Response>();
    const url = serve(async () => hang.promise);
    expect((await failureOf(createHttpBootstrapper({ url, timeoutMs: 50 }).peers(never))).message).toContain(
      'Cannot get',
    );
    hang.resolve(new Response());
  });

  test('rejects when no server listens', async () => {
    const url = serve(() => new Response());
    await servers.pop()?.stop(true);
    expect((await failureOf(createHttpBootstrapper({ url }).peers(never))).message).toContain(
      'is the bootstrap peer up',
    );
  });

  test.each(['', 'nonsense', 'ftp://x', '10.0.0.1:5002'])('refuses the URL %p', (url) => {
    expect(() => createHttpBootstrapper({ url })).toThrow('use http://host:port');
  });
});
