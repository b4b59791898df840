import { describe, expect, test } from 'bun:test';

import { until } from '../../runtime/conditions.fixture.ts';
import { createSingleflight, type SearchListeners } from './singleflight.ts';

/** Searches whose outcome the test plays. */
function createPlayed() {
  const started: (SearchListeners<number> & { query: string; stops: number })[] = [];
  const searches = createSingleflight<string, number>((query, listeners) => {
    const search = { ...listeners, query, stops: 0 };
    started.push(search);
    return { stop: () => void search.stops++ };
  });
  const never = new AbortController().signal;
  return { started, join: (key: string, signal = never) => searches.join(key, `?${key}`, signal) };
}

describe('createSingleflight()', () => {
  test('runs one search for all callers that look for the same key at a time, and tells each all', async () => {
    const { started, join } = createPlayed();
    const first = Array.fromAsync(join('a'));
    await until(() => started.length === 1);
    started[0]?.found([1, 2]);
    const second = Array.fromAsync(join('a'));
    const other = Array.fromAsync(join('b'));
    started[0]?.found([3]);
    started[0]?.ended();
    started[1]?.ended();
    expect(await Promise.all([first, second, other])).toEqual([[1, 2, 3], [1, 2, 3], []]);
    expect(started.map(({ query, stops }) => [query, stops])).toEqual([
      ['?a', 0],
      ['?b', 0],
    ]);
    const again = Array.fromAsync(join('a'));
    expect(started).toHaveLength(3);
    started[2]?.ended();
    await again;
  });

  test('yields what is found at once', async () => {
    const { started, join } = createPlayed();
    const results = join('a');
    const first = results.next();
    started[0]?.found([1]);
    expect(await first).toEqual({ done: false, value: 1 });
    await results.return();
    expect(started[0]?.stops).toBe(1);
  });

  test('stops a search when the last one has left, aborted or not', async () => {
    const { started, join } = createPlayed();
    const abort = new AbortController();
    const first = Array.fromAsync(join('a', abort.signal));
    const second = join('a');
    const value = second.next();
    abort.abort();
    expect(await first).toEqual([]);
    expect(started[0]?.stops).toBe(0);
    started[0]?.found([1]);
    await value;
    await second.return();
    expect(started.map(({ stops }) => stops)).toEqual([1]);
    const again = Array.fromAsync(join('a'));
    started[1]?.ended();
    expect(await again).toEqual([]);
  });

  test('starts nothing for a signal that has aborted', async () => {
    const { started, join } = createPlayed();
    expect(await Array.fromAsync(join('a', AbortSignal.abort()))).toEqual([]);
    expect(started).toEqual([]);
  });
});
