import { describe, expect, test } from 'bun:test';
import { createHostsFolder } from '../mirror-config/hosts-folder.fixture.ts';
import { connectRaw } from '../http/testing/raw-client.ts';
import { silentLogger } from '../observe/log.ts';
import { runCleanup } from './cleanup.ts';

describe('runCleanup()', () => {
  test('runCleanup() restores, answers probes until it is stopped, and can run again', async () => {
    await using folder = await createHostsFolder();
    await folder.make({ 'docker.io/hosts.toml': '# theirs\n' });
    const before = await folder.read();
    await folder.configure({ allRegistries: true });
    for (let run = 0; run < 2; run += 1) {
      const stop = new AbortController();
      const { promise: listening, resolve: onListening } = Promise.withResolvers<number>();
      const running = runCleanup(
        { addr: '127.0.0.1:0', configPath: folder.configPath },
        { logger: silentLogger, signal: stop.signal, onListening },
      );
      const port = await Promise.race([listening, running.then(() => 0)]);
      expect(await folder.read()).toEqual(before);
      for (const [method, path, status] of [
        ['GET', '/readyz', '200'],
        ['GET', '/readyz?x=1', '200'],
        ['HEAD', '/readyz', '200'],
        ['POST', '/readyz', '404'],
        ['GET', '/', '404'],
        ['GET', '/v2/', '404'],
      ] as const) {
        using client = await connectRaw(port);
        client.send(`${method} ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
        expect([method, path, (await client.head()).text]).toEqual([
          method,
          path,
          expect.stringMatching(new RegExp(`^HTTP/1.1 ${status} [^]*content-length: 0`, 'i')) as string,
        ]);
      }
      stop.abort();
      await running;
      expect(await connectRaw(port).catch((error: NodeJS.ErrnoException) => error.code)).toBe('ECONNREFUSED');
    }
  });

  test('runCleanup() ends at once when it was stopped before it listened', async () => {
    await using folder = await createHostsFolder();
    const { configPath } = folder;
    await runCleanup(
      { addr: '127.0.0.1:0', configPath },
      { logger: silentLogger, signal: AbortSignal.abort() },
    );
  });

  test('runCleanup() rejects when the address cannot be had', async () => {
    await using folder = await createHostsFolder();
    const error: unknown = await runCleanup(
      { addr: '192.0.2.1:8080', configPath: folder.configPath },
      { logger: silentLogger, signal: new AbortController().signal },
    ).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(Error);
  });
});
