import type { StreamedAnswer } from '../http/http-server.ts';
import type { Logger } from '../observe/log.ts';
import type { Clock } from '../runtime/clock.ts';
import type { LiveFacts } from './live-facts.ts';

const SECOND_MS = 1000;
/** Streams at once: a few people look at a node at the same time. */
export const MAX_LIVE_STREAMS = 8;
/** How often what is told is read, while a stream is open. */
const REFRESH_MS = SECOND_MS;
/** A stream of which nothing has changed says that it is there: what is in between ends connections that are silent. */
const HEARTBEAT_MS = 15 * SECOND_MS;
/** What browsers wait until they open a stream again that has ended, in ms. */
const RETRY = Buffer.from(`retry: ${3 * SECOND_MS}\n\n`);
const HEARTBEAT = Buffer.from(': still here\n\n');

/** What createLiveStreams needs. */
export interface LiveStreamsDeps {
  /** Makes what is told; it is dropped when no stream is open. */
  readonly createFacts: () => LiveFacts;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Server-sent events for those who look at this node. While nobody looks, nothing is read or kept. */
export interface LiveStreams {
  /** Another stream; undefined: there are as many as there may be. It ends with the client, and when the signal aborts. */
  open(): StreamedAnswer | undefined;
  /** Streams that are open. */
  readonly count: number;
}

interface Stream {
  isBegun: boolean;
  /** The version that the client was told of each source. */
  readonly seen: number[];
  /** The source that is looked at next: a client that reads slowly gets all of them in turn. */
  at: number;
  sentMs: number;
  wake: () => void;
}

/** Has no stream. The signal ends all that are opened. */
export function createLiveStreams(
  { createFacts, clock, logger }: LiveStreamsDeps,
  signal: AbortSignal,
): LiveStreams {
  const streams = new Set<Stream>();
  /** While streams are open: what is told, and its first reading. */
  let current: { readonly facts: LiveFacts; readonly isRead: Promise<void> } | undefined;

  const wakeAll = () => {
    for (const stream of streams) stream.wake();
  };
  signal.addEventListener('abort', wakeAll);

  const read = async (facts: LiveFacts) => {
    await facts.refresh().catch((error: unknown) => {
      logger.warn('Cannot read what the live page shows', { error });
    });
  };
  const begin = () => {
    const facts = createFacts();
    const begun = { facts, isRead: read(facts) };
    current = begun;
    void (async () => {
      await begun.isRead;
      while (streams.size > 0 && !signal.aborted) {
        await clock.sleep(REFRESH_MS, signal).catch(() => {});
        if (streams.size === 0 || signal.aborted) break;
        await read(facts);
        wakeAll();
      }
      // A stream may have been opened when the last had just ended: then this goes on for it, above.
      if (current === begun) current = undefined;
    })();
    return begun;
  };

  /** The next event that the stream has not told; undefined: there is none. */
  const newsFor = (stream: Stream, { sources }: LiveFacts): Uint8Array | undefined => {
    for (let looked = 0; looked < sources.length; looked++) {
      const { at, seen } = stream;
      const news = sources[at]?.since(seen[at] ?? 0);
      stream.at = (at + 1) % sources.length;
      if (news === undefined) continue;
      seen[at] = news.version;
      return news.event;
    }
    return undefined;
  };

  const next = async (stream: Stream, gone: AbortSignal): Promise<Uint8Array | undefined> => {
    for (;;) {
      const { facts, isRead } = current ?? begin();
      await isRead;
      if (gone.aborted || signal.aborted) return undefined;
      if (!stream.isBegun) {
        stream.isBegun = true;
        return RETRY;
      }
      const news = newsFor(stream, facts);
      if (news !== undefined) return news;
      if (clock.nowMs() - stream.sentMs >= HEARTBEAT_MS) return HEARTBEAT;
      await new Promise<void>((resolve) => (stream.wake = resolve));
    }
  };

  return {
    get count() {
      return streams.size;
    },
    open() {
      if (streams.size >= MAX_LIVE_STREAMS || signal.aborted) return undefined;
      const stream: Stream = { isBegun: false, seen: [], at: 0, sentMs: 0, wake: () => {} };
      let isOver = false;
      const end = () => {
        isOver = true;
        streams.delete(stream);
        stream.wake();
      };
      return {
        status: 200,
        headers: {
          'content-type': 'text/event-stream',
          'cache-control': 'no-store',
          'x-content-type-options': 'nosniff',
        },
        async next(gone) {
          if (!streams.has(stream)) {
            // Not before: what is never asked for its first bytes does not end.
            if (isOver || gone.aborted || streams.size >= MAX_LIVE_STREAMS) return undefined;
            streams.add(stream);
            gone.addEventListener('abort', end, { once: true });
          }
          const bytes = await next(stream, gone);
          stream.sentMs = clock.nowMs();
          if (bytes === undefined) end();
          return bytes;
        },
      };
    },
  };
}
