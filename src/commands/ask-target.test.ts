import { describe, expect, test } from 'bun:test';
import { failureOf } from '../runtime/conditions.fixture.ts';
import { askTarget } from './ask-target.ts';

describe('askTarget()', () => {
  test('returns the status, whatever it is', async () => {
    using server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: () => new Response('', { status: 418 }),
    });
    const { status } = await askTarget(`127.0.0.1:${server.port}`, { method: 'GET', path: '/readyz' });
    expect(status).toBe(418);
  });

  test('says that a connection was refused, and names no flag', async () => {
    const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response('') });
    const endpoint = `127.0.0.1:${server.port}`;
    await server.stop(true);
    const failure = await failureOf(askTarget(endpoint, { method: 'GET', path: '/readyz' }));
    expect(failure.message).toBe('connection refused');
  });
});
