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
const RETRY_MS = 3 * SECOND_MS;

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
  /** By section: the version that the client was told. */
  readonly seen: Map<string, number>;
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

  /** What the stream has not told, each section as one event. */
  const newsFor = ({ seen }: Stream, { sections }: LiveFacts): string => {
    let text = '';
    for (const [name, section] of Object.entries(sections)) {
      const news = section.since(seen.get(name) ?? 0);
      if (news === undefined) continue;
      seen.set(name, news.version);
      text += `event: ${name}\ndata: ${news.data}\n\n`;
    }
    return text;
  };

  const next = async (stream: Stream, gone: AbortSignal): Promise<string | undefined> => {
    for (;;) {
      const { facts, isRead } = current ?? begin();
      await isRead;
      if (gone.aborted || signal.aborted) return undefined;
      const news = newsFor(stream, facts);
      if (!stream.isBegun) {
        stream.isBegun = true;
        return `retry: ${RETRY_MS}\n\n${news}`;
      }
      if (news !== '') return news;
      if (clock.nowMs() - stream.sentMs >= HEARTBEAT_MS) return ': still here\n\n';
      await new Promise<void>((resolve) => (stream.wake = resolve));
    }
  };

  return {
    get count() {
      return streams.size;
    },
    open() {
      if (streams.size >= MAX_LIVE_STREAMS || signal.aborted) return undefined;
      const stream: Stream = { isBegun: false, seen: new Map(), sentMs: 0, wake: () => {} };
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
          const text = await next(stream, gone);
          stream.sentMs = clock.nowMs();
          if (text === undefined) end();
          return text === undefined ? undefined : Buffer.from(text);
        },
      };
    },
  };
}
