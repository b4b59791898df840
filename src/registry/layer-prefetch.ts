import type { Logger } from '../observe/log.ts';
import type { Digest } from '../oci/digest.ts';
import { parseManifest } from '../oci/manifest.ts';
import type { Clock } from '../runtime/clock.ts';
import { createDeadline } from '../runtime/deadline.ts';
import { lruSet } from '../runtime/lru-set.ts';
import type { ContentStore } from '../store/content-store.ts';
import type { FetchedManifest } from '../transfer/fetch-manifest.ts';
import type { Transfer } from '../transfer/transfer.ts';
import type { PullTracker } from './pull-tracker.ts';

/** Most pieces of content of one manifest: an image has ten layers, seldom fifty. */
const MAX_KEYS = 64;
/** containerd asks HEAD, then GET, and other targets of hosts.toml may lead here: that is one look ahead. */
const AGAIN_AFTER_MS = 5 * 1000;
/** Manifests that are remembered for that: more than a node pulls in that time. */
const MAX_REMEMBERED = 200;
/** The store answers from the disk in microseconds; one that does not is not worth waiting for. */
const STORE_TIMEOUT_MS = 300;

/** What createLayerPrefetch needs. */
export interface LookAheadDeps {
  readonly store: Pick<ContentStore, 'stat'>;
  readonly transfer: Pick<Transfer, 'learnSizes'>;
  /** Starts to look up who has the content; returns at once. */
  readonly prefetch: (keys: readonly string[]) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told what a manifest leads to: the manifests of an index, or what is not here of an image. Default: nobody. */
  readonly named?: PullTracker['named'] | undefined;
}

/**
 * Learns how large the config and the layers of a manifest are that this node's containerd was given, and looks them up
 * before it asks for them one after the other. Not what an index names: which of its manifests is wanted, the client will say. Takes no time of the
 * caller's.
 */
export function createLayerPrefetch({
  store,
  transfer,
  prefetch,
  clock,
  logger,
  named,
}: LookAheadDeps): (manifest: FetchedManifest) => void {
  /** When each manifest was looked at, the oldest first. */
  const lookedMs = new Map<Digest, number>();

  const isDue = (digest: Digest) => {
    const beforeMs = lookedMs.get(digest);
    if (beforeMs !== undefined && clock.nowMs() - beforeMs < AGAIN_AFTER_MS) return false;
    lruSet(lookedMs, digest, clock.nowMs(), MAX_REMEMBERED);
    return true;
  };
  const look = async (digest: Digest, bytes: Uint8Array) => {
    // The answer goes out first.
    await new Promise(setImmediate);
    const { kind, references } = parseManifest(bytes);
    if (kind === 'index') {
      named?.(digest, kind, references);
      return;
    }
    transfer.learnSizes(references);
    const digests = [...new Set(references.map(({ digest }) => digest))].slice(0, MAX_KEYS);
    using deadline = createDeadline(clock, STORE_TIMEOUT_MS);
    const absent = await Promise.all(
      digests.map(async (digest) =>
        (await store.stat(digest, { signal: deadline.signal })) === undefined ? [digest] : [],
      ),
    );
    const keys = absent.flat();
    named?.(
      digest,
      kind,
      references.filter((reference) => keys.includes(reference.digest)),
    );
    if (keys.length > 0) prefetch(keys);
  };
  return ({ digest, bytes }) => {
    if (!isDue(digest)) return;
    // A manifest of an unknown shape, or a containerd that is away: then each is looked up when it is asked for.
    look(digest, bytes).catch((error: unknown) => logger.debug('cannot look ahead', { digest, error }));
  };
}
