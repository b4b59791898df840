import { describe, expect, test } from 'bun:test';
import { aborted } from '../runtime/abortable.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { createHoldersCounter, parseHoldersQuestion } from './count-holders.ts';
import { MAX_HOLDER_KEYS } from './images-report.ts';

const NEVER = new AbortController().signal;

/** A counter over a router that finds as many peers as the key says, such as `x/a:3`, after 10 ms. */
function setUp() {
  const clock = createVirtualClock();
  const seen = { lookups: 0, running: 0, most: 0 };
  const counter = createHoldersCounter({
    router: {
      async *lookup(key, { signal, limit }) {
        seen.lookups++;
        seen.most = Math.max(seen.most, ++seen.running);
        try {
          const peers = Number(key.split(':').at(-1));
          await clock.sleep(10);
          for (let n = 0; n < Math.min(peers, limit); n++) yield { id: `${n}`, addresses: [] };
          if (key.includes('slow')) await aborted(signal).catch(() => {});
        } finally {
          seen.running--;
        }
      },
    },
    hasLocally: async (key) => key.includes('here'),
    clock,
  });
  const count = async (keys: readonly string[], signal = NEVER) => {
    const counting = counter.count(keys, signal);
    await clock.advance(3000);
    return (await counting).holders;
  };
  return { clock, seen, counter, count };
}

describe('createHoldersCounter()', () => {
  test('counts the peers of each key, also of a lookup that does not come to its end', async () => {
    const { count } = setUp();
    expect(await count(['x/here:2', 'x/none:0', 'x/slow:3', 'x/many:150'])).toEqual([
      { key: 'x/here:2', peers: 2, isHere: true },
      { key: 'x/none:0', peers: 0, isHere: false },
      { key: 'x/slow:3', peers: 3, isHere: false },
      { key: 'x/many:150', peers: 100, isHere: false },
    ]);
  });

  test('runs 8 lookups at once, and tells again what it has just found', async () => {
    const { clock, seen, count } = setUp();
    const keys = Array.from({ length: MAX_HOLDER_KEYS }, (_, n) => `x/a:${n}`);
    const first = await count(keys);
    expect(seen).toEqual({ lookups: 50, running: 0, most: 8 });
    expect(await count(keys)).toEqual(first);
    expect(seen.lookups).toBe(50);
    await clock.advance(10_000);
    await count(keys);
    expect(seen.lookups).toBe(100);
  });

  test('stops when the client leaves, and remembers nothing of what it did not find', async () => {
    const { clock, seen, counter, count } = setUp();
    const client = new AbortController();
    const keys = Array.from({ length: 20 }, (_, n) => `x/slow:${n + 1}`);
    const counting = counter.count(keys, client.signal);
    await clock.advance(20);
    expect(counter.isBusy).toBe(true);
    client.abort();
    await clock.advance(0);
    await counting;
    expect(counter.isBusy).toBe(false);
    expect(seen.lookups).toBe(8);
    expect((await count(['x/slow:1']))[0]?.peers).toBe(1);
    expect(seen.lookups).toBe(9);
  });
});

describe('parseHoldersQuestion()', () => {
  const digest = `sha256:${'a'.repeat(64)}`;

  test('gives the keys, each once', () => {
    expect(parseHoldersQuestion(JSON.stringify({ keys: [digest, 'registry.lab/a:v1', digest] }))).toEqual([
      digest,
      'registry.lab/a:v1',
    ]);
    expect(parseHoldersQuestion('{"keys":[]}')).toEqual([]);
  });

  test.each([
    '',
    'null',
    '[]',
    '{}',
    '{"keys":"registry.lab/a:v1"}',
    '{"keys":[1]}',
    '{"keys":["not a key"]}',
    JSON.stringify({ keys: Array.from({ length: 51 }, (_, n) => `registry.lab/a:${n}`) }),
  ])('refuses %p', (text) => {
    expect(parseHoldersQuestion(text)).toBeUndefined();
  });
});
