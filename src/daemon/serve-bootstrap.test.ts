import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSelfSignedCertificate } from '../../scripts/lab/self-signed-certificate.ts';
import { createLogger } from '../observe/log.ts';
import { serveBootstrap } from './serve-bootstrap.ts';
import { createSleepingClock } from '../runtime/testing/sleeping-clock.ts';

const first = createSelfSignedCertificate('localhost');
const second = createSelfSignedCertificate('localhost');

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spegel-bootstrap-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function write({ certificate, privateKey }: typeof first): Promise<void> {
  const files = { 'ca.crt': certificate, 'tls.crt': certificate, 'tls.key': privateKey };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
}

/** A clock whose sleeps end when the test says so, all at once. */
function steppedClock() {
  let wake = Promise.withResolvers<void>();
  let sleeping = Promise.withResolvers<void>();
  const clock = createSleepingClock({
    nowMs: () => 0,
    async sleep(_ms, signal) {
      const aborted = Promise.withResolvers<never>();
      signal?.addEventListener('abort', () => aborted.reject(signal.reason as Error));
      sleeping.resolve();
      await Promise.race([wake.promise, aborted.promise]);
    },
  });
  /** Wakes it, and returns when it sleeps again. */
  const step = async () => {
    await sleeping.promise;
    sleeping = Promise.withResolvers();
    wake.resolve();
    wake = Promise.withResolvers();
    await sleeping.promise;
  };
  return { clock, step };
}

describe('serveBootstrap()', () => {
  test('serves plain HTTP without certificates', async () => {
    const deps = { logger: silent().logger, clock: steppedClock().clock, handler: () => new Response('id') };
    await using server = await serveBootstrap(deps, { address: '127.0.0.1:0' });
    expect(await (await fetch(`http://127.0.0.1:${server.port}/id`)).text()).toBe('id');
  });

  test('takes over certificates that change, and keeps the old ones while they are no pair', async () => {
    await write(first);
    const { clock, step } = steppedClock();
    const { logger, lines } = silent();
    const deps = { logger, clock, handler: () => new Response('id') };
    await using server = await serveBootstrap(deps, { address: '127.0.0.1:0', certDir: folder });
    const isServed = async ({ certificate, privateKey }: typeof first) =>
      fetch(`https://localhost:${server.port}/id`, {
        tls: { ca: certificate, cert: certificate, key: privateKey },
        keepalive: false,
      }).then(
        ({ ok }) => ok,
        () => false,
      );
    expect([await isServed(first), await isServed(second)]).toEqual([true, false]);
    await writeFile(join(folder, 'tls.key'), second.privateKey);
    await step();
    expect([await isServed(first), await isServed(second)]).toEqual([true, false]);
    expect(lines.join('')).toContain('Cannot use the new certificates yet');
    await write(second);
    await step();
    expect([await isServed(first), await isServed(second)]).toEqual([false, true]);
    expect(lines.join('')).toContain('New certificates are in use');
  });

  test('rejects without certificates in the folder', async () => {
    const deps = { logger: silent().logger, clock: steppedClock().clock, handler: () => new Response('id') };
    const serving = serveBootstrap(deps, { address: '127.0.0.1:0', certDir: folder });
    await serving.then(
      () => expect.unreachable(),
      (error: Error) => expect(error.message).toContain('needs ca.crt, tls.crt and tls.key'),
    );
  });
});

function silent() {
  const lines: string[] = [];
  return { lines, logger: createLogger({ level: 'info', write: (line) => lines.push(line) }) };
}
