import { describe, expect, test } from 'bun:test';
import { digestOf } from '../oci/digest.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { createManifestCache } from './manifest-cache.ts';

const manifestOf = (text: string) => {
  const bytes = new TextEncoder().encode(text);
  return { digest: digestOf(bytes), bytes, mediaType: 'application/json', origin: 'p1' };
};
const [a, b, c] = [manifestOf('a'.repeat(10)), manifestOf('b'.repeat(10)), manifestOf('c'.repeat(10))];

describe('createManifestCache()', () => {
  test('get() gives what was put for 5 s, however often it is asked for', async () => {
    const clock = createVirtualClock();
    const cache = createManifestCache(clock, { maxBytes: 100 });
    cache.put(a);
    for (let seconds = 0; seconds < 5; seconds++) {
      expect(cache.get(a.digest)).toBe(a);
      await clock.advance(1000);
    }
    expect(cache.get(a.digest)).toBeUndefined();
  });

  test('put() again keeps it for 5 s more', async () => {
    const clock = createVirtualClock();
    const cache = createManifestCache(clock, { maxBytes: 100 });
    cache.put(a);
    await clock.advance(4000);
    cache.put(a);
    await clock.advance(4000);
    expect(cache.get(a.digest)).toBe(a);
  });

  test('put() forgets what was asked for least recently when there is no room', () => {
    const cache = createManifestCache(createVirtualClock(), { maxBytes: 25 });
    cache.put(a);
    cache.put(b);
    cache.get(a.digest);
    cache.put(c);
    expect([a, b, c].map(({ digest }) => cache.get(digest))).toEqual([a, undefined, c]);
  });

  test('put() gives the room of what is too old to the others', async () => {
    const clock = createVirtualClock();
    const cache = createManifestCache(clock, { maxBytes: 25 });
    cache.put(a);
    await clock.advance(4000);
    cache.put(b);
    cache.get(a.digest);
    await clock.advance(1000);
    cache.put(c);
    expect([a, b, c].map(({ digest }) => cache.get(digest))).toEqual([undefined, b, c]);
  });
});
