import { afterEach, describe, expect, test } from 'bun:test';

import { until } from '../../runtime/conditions.fixture.ts';
import { createKeyStream } from './private-network.ts';
import { createStaticBootstrapper } from '../../bootstrap/static-bootstrapper.ts';
import { addressOf, createTestRouters, find, stopAfterEach } from '../testing/test-routers.ts';

const KEY = crypto.getRandomValues(new Uint8Array(32));
const OTHER_KEY = crypto.getRandomValues(new Uint8Array(32));

describe('createKeyStream()', () => {
  test('is XSalsa20', () => {
    // "Cryptography in NaCl" (D. J. Bernstein), 8 and 10: the key and the nonce of its examples, and their stream.
    const key = Buffer.from('1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389', 'hex');
    const nonce = Buffer.from('69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37', 'hex');
    const stream = createKeyStream(key, nonce).xor(new Uint8Array(64)).toHex();
    expect(stream).toBe(
      'eea6a7251c1e72916d11c2cb214d3c252539121d8e234e652d651fa4c8cff880' +
        '309e645a74e9e0a60d8243acd9177ab51a1beb8d5a2f5d700c093c5e55855796',
    );
  });

  test('gives the same bytes in whatever pieces they are asked for', () => {
    const nonce = crypto.getRandomValues(new Uint8Array(24));
    const whole = createKeyStream(KEY, nonce).xor(new Uint8Array(300_000));
    const stream = createKeyStream(KEY, nonce);
    let at = 0;
    for (const sizeBytes of [1, 63, 64, 65, 0, 127, 1000, 65_536, 100_001, 7, 64, 128]) {
      expect(Buffer.compare(stream.xor(new Uint8Array(sizeBytes)), whole.subarray(at, at + sizeBytes))).toBe(
        0,
      );
      at += sizeBytes;
    }
  });
});

const routers = createTestRouters();
stopAfterEach(routers);
afterEach(async () => routers.stopAll());

describe('privateNetwork()', () => {
  test('carries thousands of records, both ways, between nodes with the same key', async () => {
    const first = await routers.start(undefined, { swarmKey: KEY });
    const second = await routers.start(createStaticBootstrapper([addressOf(first)]), { swarmKey: KEY });
    await until(() => second.stats().peers.connected === 1);
    const keysOf = (name: string) => Array.from({ length: 3000 }, (_, index) => `sha256:${name}-${index}`);
    await Promise.all([first.advertise(keysOf('first')), second.advertise(keysOf('second'))]);
    await until(() => first.stats().records === 6000 && second.stats().records === 6000);
    expect(await find(second, 'sha256:first-2999')).toMatchObject([{ id: first.self().id }]);
  });

  test.each<[name: string, key: Uint8Array | undefined]>([
    ['no key', undefined],
    ['another key', OTHER_KEY],
  ])('keeps out a node with %s, and goes on', async (_name, key) => {
    const first = await routers.start(undefined, { swarmKey: KEY });
    const lines: string[] = [];
    const stranger = await routers.start(createStaticBootstrapper([addressOf(first)]), {
      ...(key === undefined ? {} : { swarmKey: key }),
      log: lines,
    });
    await until(() => lines.some((line) => line.includes('Cannot bootstrap')));
    expect([first.stats().peers.connected, stranger.stats().peers.connected]).toEqual([0, 0]);
    const second = await routers.start(createStaticBootstrapper([addressOf(first)]), { swarmKey: KEY });
    await until(() => second.stats().peers.connected === 1);
  });
});
