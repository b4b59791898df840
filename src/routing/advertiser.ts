import type { Logger } from '../observe/log.ts';
import type { AdvertisedCounts } from '../observe/metrics.ts';
import type { Digest } from '../oci/digest.ts';
import { tagKey } from '../oci/reference.ts';
import { createBackoff } from '../runtime/backoff.ts';
import { countUp } from '../runtime/key-counts.ts';
import type { Clock } from '../runtime/clock.ts';
import { createWakeUp } from '../runtime/wake-up.ts';
import type { ContentStore, StoreEvent, Tag } from '../store/content-store.ts';
import { type Advertisable, createAdvertisedKeys } from './advertised-keys.ts';
import type { Router } from './router.ts';

/** What createAdvertiser needs. */
export interface AdvertiserDeps {
  readonly store: Pick<ContentStore, 'watch' | 'references'>;
  readonly router: Pick<Router, 'advertise' | 'withdraw'>;
  /** Asks the store whether it has the digest or tag now. */
  readonly isHere: (key: string) => Promise<boolean>;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** Tunables of createAdvertiser. */
export interface AdvertiserOptions {
  /** Decides what is advertised. Default everything. */
  readonly shouldAdvertise?: (item: Advertisable) => boolean;
  /** Changes are gathered for this long, in ms, so that the blobs of one pull go out together. Default 20. */
  readonly batchDelayMs?: number;
}

/** Tells the router what the store has. */
export interface Advertiser {
  /** Follows the store until the signal aborts, then resolves. Failures are logged and tried again. */
  run(signal: AbortSignal): Promise<void>;
  /**
   * Tells that this node could not serve a key that other nodes may still be sent here for: if the store does not have it,
   * it is withdrawn until the store names it again.
   */
  contentMissing(key: string): void;
  /** Asks shouldAdvertise again about a digest. */
  reconsider(digest: Digest): void;
  /** What is advertised at this moment. */
  counts(): AdvertisedCounts;
  /** The tags that are advertised at this moment. */
  tags(): readonly Tag[];
}

/** A new blob is to be findable within 100 ms; the blobs of one pull come some ms apart. */
const BATCH_DELAY_MS = 20;
/**
 * From the start of a batch to that of the next: while an image is pulled its blobs come all the time, and each batch is a
 * message to several peers.
 */
const STREAM_DELAY_MS = 80;
/** First and longest wait after the router or the store failed. */
const RETRY_INITIAL_MS = 100;
const RETRY_MAX_MS = 10_000;
/** Keys per call of the router: what changes while a large call runs waits for its end. */
const KEYS_PER_CALL = 500;

/** Makes an advertiser; run() starts it. */
export function createAdvertiser(
  { store, router, isHere, logger, clock }: AdvertiserDeps,
  { shouldAdvertise = () => true, batchDelayMs = BATCH_DELAY_MS }: AdvertiserOptions = {},
): Advertiser {
  const wakeUp = createWakeUp();
  const keys = createAdvertisedKeys({ shouldAdvertise, onDue: () => wakeUp.wake() });

  const apply = (event: StoreEvent) => {
    switch (event.kind) {
      case 'resync':
        keys.replace([...event.snapshot.tags.map(tagItem), ...Array.from(event.snapshot.blobs, digestItem)]);
        break;
      case 'tag-added':
        keys.add(tagItem(event.tag));
        break;
      case 'tag-removed':
        keys.remove(tagItem(event.tag).key);
        break;
      case 'blob-added':
        keys.add(digestItem(event.digest));
        break;
      case 'blob-removed':
        keys.remove(event.digest);
        break;
      case 'image-changed':
        for (const digest of event.digests) keys.evaluate(digest);
        break;
    }
  };

  const follow = async (signal: AbortSignal) => {
    await persist({ logger, clock }, 'Cannot follow the content store', signal, async () => {
      for await (const event of store.watch(signal)) apply(event);
      if (!signal.aborted) throw new Error('The watch of the content store ended');
    });
  };

  const flush = async (signal: AbortSignal) => {
    let nextMs = -Infinity;
    await persist({ logger, clock }, 'Cannot advertise', signal, async (reset) => {
      for (;;) {
        if (keys.isSettled) {
          await wakeUp.next(signal);
          await clock.sleep(batchDelayMs, signal);
        }
        const restMs = nextMs - clock.nowMs();
        if (restMs > 0) await clock.sleep(restMs, signal);
        const due = keys.due(KEYS_PER_CALL);
        const { removed, added } = due;
        const isFull = removed.length + added.length === KEYS_PER_CALL;
        nextMs = isFull ? -Infinity : clock.nowMs() + STREAM_DELAY_MS;
        if (removed.length > 0) {
          await router.withdraw(removed);
          keys.withdrawn(removed);
        }
        if (added.length > 0) {
          keys.given(added);
          await router.advertise(
            added.map(({ key }) => key),
            { signal },
          );
          keys.taken(added);
        }
        keys.settle(due);
        reset();
        logger.debug('Advertised', { added: added.length, withdrawn: removed.length });
      }
    });
  };

  return {
    async run(signal) {
      await Promise.all([follow(signal), flush(signal)]);
    },
    contentMissing(key) {
      if (!keys.isKnown(key)) return;
      // Asked again: the request may have looked just before the content was committed, and told of it just after.
      isHere(key).then(
        (here) => {
          if (!here) keys.remove(key);
        },
        // While the store is away it is not known.
        () => {},
      );
    },
    reconsider: (digest) => keys.evaluate(digest),
    counts() {
      const imageTags = new Map<string, number>();
      const imageDigests = new Map<string, number>();
      const contentDigests = new Map<string, number>();
      const named = new Set<Digest>();
      for (const item of keys.takenItems()) {
        if (item.kind === 'digest') {
          countUp(contentDigests, store.references(item.key)[0]?.registry ?? '');
          continue;
        }
        const { registry, digest } = item.tag;
        countUp(imageTags, registry);
        if (!keys.isTaken(digest) || named.has(digest)) continue;
        named.add(digest);
        countUp(imageDigests, registry);
      }
      return { imageTags, imageDigests, contentDigests };
    },
    tags() {
      const tags: Tag[] = [];
      for (const item of keys.takenItems()) if (item.kind === 'tag') tags.push(item.tag);
      return tags;
    },
  };
}

/** Runs the work again, with growing waits after each failure, until the signal aborts. It calls `reset` when it has had success. */
async function persist(
  { logger, clock }: Pick<AdvertiserDeps, 'logger' | 'clock'>,
  failure: string,
  signal: AbortSignal,
  work: (reset: () => void) => Promise<void>,
): Promise<void> {
  const backoff = createBackoff({ initialMs: RETRY_INITIAL_MS, maxMs: RETRY_MAX_MS });
  while (!signal.aborted) {
    try {
      await work(() => backoff.reset());
    } catch (error) {
      if (signal.aborted) return;
      const retryInMs = Math.round(backoff.nextMs());
      logger.warn(failure, { error, retryInMs });
      await clock.sleep(retryInMs, signal).catch(() => {});
    }
  }
}

function tagItem(tag: Tag): Advertisable {
  return { kind: 'tag', key: tagKey(tag.registry, tag.repository, tag.tag), tag };
}

function digestItem(digest: Digest): Advertisable {
  return { kind: 'digest', key: digest };
}
