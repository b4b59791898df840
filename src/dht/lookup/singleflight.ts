import { createWakeUp, type WakeUp } from '../../runtime/wake-up.ts';

/** How a search tells what it finds. */
export interface SearchListeners<R> {
  readonly found: (results: readonly R[]) => void;
  readonly ended: () => void;
}

/** Searches: all that join for the same key at the same time share one search. */
export interface Singleflight<Q, R> {
  /**
   * Yields what the search for the key finds, from its start on, until it has ended or the signal aborts. It never
   * throws. The search stops when no caller listens to it any more.
   */
  join(key: string, query: Q, signal: AbortSignal): AsyncGenerator<R, void, undefined>;
}

interface Search<R> {
  readonly results: R[];
  listeners: number;
  hasEnded: boolean;
  /** Called when there is more to know. */
  readonly news: WakeUp;
  stop(): void;
}

/** Makes searches that are started by `start`. */
export function createSingleflight<Q, R>(
  start: (query: Q, listeners: SearchListeners<R>) => { stop(): void },
): Singleflight<Q, R> {
  const searches = new Map<string, Search<R>>();

  const begin = (key: string, query: Q) => {
    const search: Search<R> = {
      results: [],
      listeners: 0,
      hasEnded: false,
      news: createWakeUp(),
      stop: () => {},
    };
    const walk = start(query, {
      found(results) {
        search.results.push(...results);
        search.news.wake();
      },
      ended() {
        search.hasEnded = true;
        searches.delete(key);
        search.news.wake();
      },
    });
    search.stop = () => walk.stop();
    searches.set(key, search);
    return search;
  };

  return {
    async *join(key, query, signal) {
      if (signal.aborted) return;
      const search = searches.get(key) ?? begin(key, query);
      search.listeners++;
      try {
        for (let next = 0; !signal.aborted;) {
          const result = search.results[next];
          if (result !== undefined) {
            next++;
            yield result;
          } else if (search.hasEnded) return;
          else await search.news.next(signal).catch(() => {});
        }
      } finally {
        search.listeners--;
        if (search.listeners === 0 && !search.hasEnded) {
          searches.delete(key);
          search.stop();
        }
      }
    },
  };
}
