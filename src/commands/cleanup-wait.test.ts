import { afterEach, describe, expect, test } from 'bun:test';
import { createHttpServer } from '../http/buffered-http-server.ts';
import type { HttpServer } from '../http/http-server.ts';
import { createLogger } from '../observe/log.ts';
import type { Clock } from '../runtime/clock.ts';
import { type CleanupWaitContext, CleanupWaitStoppedError, runCleanupWait } from './cleanup-wait.ts';
import { createSleepingClock } from '../runtime/testing/sleeping-clock.ts';

const servers: HttpServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close(0);
});

/** A node that answers with one status after the other, the last one for good. */
async function startNode(statuses: readonly number[], address = '127.0.0.1:0') {
  const requests: string[] = [];
  const server = await createHttpServer({
    address,
    handler: (request) => {
      const status = statuses[requests.length] ?? statuses.at(-1) ?? 200;
      requests.push(`${request.method} ${new URL(request.url).pathname} ${request.headers.get('host')}`);
      return new Response(null, { status, headers: { 'content-length': '0' } });
    },
    onError: () => {},
  });
  servers.push(server);
  return { port: server.port, requests };
}

/** A clock that does not wait, and remembers for how long it should have. */
function fastClock(): Clock & { readonly slept: number[] } {
  const slept: number[] = [];
  const clock = createSleepingClock({
    nowMs: () => 0,
    sleep: async (ms, signal) => {
      signal?.throwIfAborted();
      slept.push(ms);
    },
  });
  return { slept, ...clock };
}

const run = async (
  probeEndpoint: string,
  threshold: number,
  context: Partial<CleanupWaitContext> = {},
  log: string[] = [],
) =>
  runCleanupWait(
    { probeEndpoint, threshold, periodMs: 2000 },
    {
      logger: createLogger({ level: 'info', write: (line) => void log.push(line) }),
      signal: AbortSignal.timeout(10_000),
      clock: fastClock(),
      ...context,
    },
  );

describe('runCleanupWait()', () => {
  test('runCleanupWait() resolves after as many rounds as asked for, a period apart', async () => {
    const { port, requests } = await startNode([200]);
    const clock = fastClock();
    await run(`127.0.0.1:${port}`, 3, { clock });
    expect(requests).toEqual(Array.from({ length: 3 }, () => `GET /readyz 127.0.0.1:${port}`));
    expect(clock.slept).toEqual([2000, 2000]);
  });

  test('runCleanupWait() counts from the start after a round that failed', async () => {
    const { port, requests } = await startNode([200, 200, 500, 200, 404, 200]);
    const log: string[] = [];
    await run(`127.0.0.1:${port}`, 3, {}, log);
    expect(requests).toHaveLength(8);
    expect(log.join('')).toContain(`127.0.0.1 port ${port} answered 500`);
  });

  test('runCleanupWait() asks every address of the name, each round anew, of both families', async () => {
    const first = await startNode([200]);
    const second = await startNode([503, 200], `127.0.0.2:${first.port}`);
    const third = await startNode([200], `[::1]:${first.port}`);
    const addresses = ['127.0.0.1', '127.0.0.2', '::1', '127.0.0.1'].map((address) => ({ address }));
    const names: string[] = [];
    const lookUp = async (name: string) => {
      names.push(name);
      if (names.length === 1) throw Object.assign(new Error('ENOTFOUND'), { code: 'ENOTFOUND' });
      return names.length === 2 ? [] : addresses;
    };
    const log: string[] = [];
    await run(`nodes.example.:${first.port}`, 2, { lookUp }, log);
    expect(names).toEqual(Array.from({ length: 5 }, () => 'nodes.example.'));
    expect([first, second, third].map(({ requests }) => requests.length)).toEqual([3, 3, 3]);
    expect(third.requests[0]).toBe(`GET /readyz [::1]:${first.port}`);
    expect(log[0]).toContain('Cannot look nodes.example. up');
    expect(log[1]).toContain('nodes.example. has no address');
  });

  test('runCleanupWait() asks hundreds of addresses, few at a time', async () => {
    const all = await startNode([200], '0.0.0.0:0');
    const addresses = Array.from({ length: 200 }, (_, index) => ({ address: `127.0.0.${index + 1}` }));
    await run(`nodes.example:${all.port}`, 1, { lookUp: async () => addresses });
    expect(all.requests).toHaveLength(200);
  });

  test('runCleanupWait() goes on until it is stopped, and then says that it is not done', async () => {
    const stop = new AbortController();
    const clock = fastClock();
    const log: string[] = [];
    const lookUp = async () => {
      if (log.length === 5) stop.abort();
      return [{ address: '127.0.0.1' }];
    };
    const error: unknown = await run('nodes.example:1', 1, { signal: stop.signal, clock, lookUp }, log).catch(
      (error: unknown) => error,
    );
    expect(error).toBeInstanceOf(CleanupWaitStoppedError);
    expect(log[0]).toContain('127.0.0.1 port 1 did not answer: is cleanup running there?');
  });

  test('runCleanupWait() does not wait for a look-up when it is stopped', async () => {
    const stop = new AbortController();
    const waiting = run('nodes.example:1', 1, {
      signal: stop.signal,
      lookUp: async () => new Promise<never>(() => {}),
    });
    stop.abort();
    expect(await waiting.catch((error: unknown) => error)).toBeInstanceOf(CleanupWaitStoppedError);
  });
});
