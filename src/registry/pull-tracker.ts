import type { Logger } from '../observe/log.ts';
import type { EndedPull, PullLog, PullMiss, PullOutcome } from '../observe/pull-log.ts';
import type { EndedTransfer } from '../observe/transfer-log.ts';
import type { Digest } from '../oci/digest.ts';
import type { DistributionPath } from '../oci/distribution-path.ts';
import type { Descriptor } from '../oci/manifest.ts';
import type { Clock } from '../runtime/clock.ts';

const SECOND_MS = 1000;
/** A pull of which nothing was asked for so long is over. */
const QUIET_MS = 10 * SECOND_MS;
/**
 * The same while content that its manifest names was not asked for: containerd takes three layers at a time, and those that it
 * takes from the registry may be slow.
 */
const QUIET_BETWEEN_LAYERS_MS = 120 * SECOND_MS;
/** How often that is looked at while pulls run. */
const CHECK_MS = SECOND_MS;
/** Pulls that are followed at once: kubelet pulls one after the other, or a few side by side. The oldest ends for another one. */
const MAX_OPEN = 32;
/** Pieces of content of one pull that are remembered, and manifests; an image has ten layers, seldom fifty. */
const MAX_CONTENT = 256;
/** Peers and misses that are told of one pull. */
const MAX_TOLD = 16;

/** What createPullTracker needs. */
export interface PullTrackerDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where pulls are kept for those who look; undefined: nowhere. */
  readonly pulls?: Pick<PullLog, 'ended'> | undefined;
}

/** A request that is part of a pull. Dispose it when the request has ended. */
export interface AskedPull extends Disposable {
  /** It moved something, or missed. */
  ended(transfer: EndedTransfer): void;
}

/**
 * Finds out which requests of this node's own containerd are one pull, and tells of each pull once, when it is over: when all
 * that is missing here of its manifest was asked for, or nothing was asked for a while.
 */
export interface PullTracker {
  /** This node's own containerd asks, until the result is disposed. Undefined for a blob of which no pull is known. */
  asked(path: DistributionPath, method: 'GET' | 'HEAD'): AskedPull | undefined;
  /** What a manifest leads to: the manifests of an index, or the content of an image that is not here. */
  readonly named: (manifest: Digest, kind: 'index' | 'manifest', references: readonly Descriptor[]) => void;
}

/** What became of one piece of content so far. */
interface Content {
  readonly kind: 'manifest' | 'blob';
  movedBytes: number;
  outcome: EndedTransfer['outcome'];
  reason: PullMiss['reason'] | undefined;
}

/** What one peer gave so far. */
interface Given {
  bytes: number;
  firstMs: number;
  lastMs: number;
}

/** A pull that is not over. */
interface Pull {
  readonly source: string;
  readonly image: string;
  readonly startedMs: number;
  /** When its last request began or ended. */
  lastMs: number;
  digest: string | undefined;
  running: number;
  readonly manifests: Set<string>;
  /** Manifests that were got, not only looked at. */
  readonly got: Set<string>;
  /** Sizes of the content of an image that was not here, by the image's manifest. */
  readonly wanted: Map<string, ReadonlyMap<string, number>>;
  readonly contents: Map<string, Content>;
  readonly peers: Map<string, Given>;
  localBytes: number;
  flightBytes: number;
}

/** Starts without any pull. */
export function createPullTracker({ clock, logger, pulls }: PullTrackerDeps): PullTracker {
  const open = new Set<Pull>();
  let isWatching = false;

  const tell = (pull: Pull) => {
    open.delete(pull);
    // A look at a tag that is here is not a pull.
    if (pull.contents.size === 0) return;
    const ended = summary(pull);
    const agoMs = clock.nowMs() - pull.lastMs;
    logger.info('pull ended', { ...ended });
    pulls?.ended(ended, agoMs);
  };
  const watch = async () => {
    if (isWatching) return;
    isWatching = true;
    while (open.size > 0) {
      await clock.sleep(CHECK_MS);
      for (const pull of open) {
        const quietMs = leftOf(pull) === 0 ? QUIET_MS : QUIET_BETWEEN_LAYERS_MS;
        if (pull.running === 0 && clock.nowMs() - pull.lastMs >= quietMs) tell(pull);
      }
    }
    isWatching = false;
  };
  const begin = (path: DistributionPath): Pull => {
    const source = sourceOf(path);
    const now = clock.nowMs();
    const pull: Pull = {
      source,
      image: 'tag' in path ? `${source}:${path.tag}` : `${source}@${path.digest}`,
      startedMs: now,
      lastMs: now,
      digest: undefined,
      running: 0,
      manifests: new Set(),
      got: new Set(),
      wanted: new Map(),
      contents: new Map(),
      peers: new Map(),
      localBytes: 0,
      flightBytes: 0,
    };
    open.add(pull);
    const [oldest] = open;
    if (open.size > MAX_OPEN && oldest !== undefined) tell(oldest);
    void watch();
    return pull;
  };
  /** The pull that the content belongs to; the newest of its repository if no manifest says so. */
  const find = (source: string, reference: string): Pull | undefined => {
    const ofSource = [...open].filter((pull) => pull.source === source).toReversed();
    return (
      ofSource.find(
        (pull) =>
          pull.manifests.has(reference) || [...pull.wanted.values()].some((sizes) => sizes.has(reference)),
      ) ?? ofSource[0]
    );
  };

  return {
    asked(path, method) {
      const reference = referenceOf(path);
      let pull = find(sourceOf(path), reference);
      // Another tag of the repository is another pull. A manifest by its digest belongs to the tag that was looked at before.
      const isOther = 'tag' in path && pull?.manifests.has(reference) !== true;
      if (path.kind === 'manifest') {
        if (pull === undefined || isOther) pull = begin(path);
        remember(pull.manifests, reference);
        if (method === 'GET') remember(pull.got, reference);
      }
      if (pull === undefined) return undefined;
      const asked = pull;
      asked.running++;
      asked.lastMs = clock.nowMs();
      return {
        ended: (transfer) => addTransfer(asked, transfer, clock.nowMs()),
        [Symbol.dispose]() {
          asked.running--;
          asked.lastMs = clock.nowMs();
          if (open.has(asked) && asked.running === 0 && leftOf(asked) === 0 && isGot(asked)) tell(asked);
        },
      };
    },
    named(manifest, kind, references) {
      for (const pull of open) {
        if (!pull.manifests.has(manifest)) continue;
        if (kind === 'index') {
          for (const { digest } of references.slice(0, MAX_CONTENT)) remember(pull.manifests, digest);
        } else {
          pull.wanted.delete(manifest);
          const sizes = references.slice(0, MAX_CONTENT - wantedCount(pull));
          pull.wanted.set(manifest, new Map(sizes.map(({ digest, sizeBytes }) => [digest, sizeBytes])));
        }
      }
    },
  };
}

/** Adds it to what is known of a pull, as long as there is room: a client may ask for any number. */
function remember(known: Set<string>, reference: string): void {
  if (known.size < MAX_CONTENT) known.add(reference);
}

/** Pieces of content that its manifests name. */
function wantedCount({ wanted }: Pull): number {
  return wanted.values().reduce((count, sizes) => count + sizes.size, 0);
}

/** A manifest of an image was got, and what is missing of it is known. */
function isGot({ got, wanted }: Pull): boolean {
  return [...wanted.keys()].some((manifest) => got.has(manifest));
}

/** Pieces of content that are named, were not here, and were neither given whole nor missed. */
function leftOf({ wanted, contents }: Pull): number {
  let left = 0;
  for (const sizes of wanted.values()) {
    for (const [digest, sizeBytes] of sizes) {
      const content = contents.get(digest);
      const isDone =
        content !== undefined && (content.outcome === 'missing' || content.movedBytes >= sizeBytes);
      if (!isDone) left++;
    }
  }
  return left;
}

function addTransfer(pull: Pull, transfer: EndedTransfer, now: number): void {
  const { kind, tag, digest, outcome, sources, flight, durationMs } = transfer;
  if (kind === 'manifest' && digest !== undefined) {
    pull.digest ??= digest;
    remember(pull.manifests, digest);
  }
  const reference = digest ?? tag;
  if (reference !== undefined) addContent(pull, transfer, reference);
  // A tag that was not found a moment ago.
  if (outcome !== 'missing' && tag !== undefined) pull.contents.delete(tag);
  for (const { origin, movedBytes } of sources) {
    if (origin === 'local') {
      pull.localBytes += movedBytes;
      continue;
    }
    if (flight?.parent?.origin === origin) pull.flightBytes += movedBytes;
    const given = pull.peers.get(origin) ?? { bytes: 0, firstMs: now - durationMs, lastMs: now };
    given.bytes += movedBytes;
    given.firstMs = Math.min(given.firstMs, now - durationMs);
    given.lastMs = now;
    if (pull.peers.has(origin) || pull.peers.size < MAX_CONTENT) pull.peers.set(origin, given);
  }
}

function addContent(
  pull: Pull,
  { kind, outcome, movedBytes, missing }: EndedTransfer,
  reference: string,
): void {
  const content = pull.contents.get(reference) ?? { kind, movedBytes: 0, outcome, reason: undefined };
  content.movedBytes += movedBytes;
  content.outcome = outcome;
  content.reason =
    outcome === 'missing' ? (missing ?? 'no-record') : outcome === 'broken-off' ? 'broken-off' : undefined;
  if (pull.contents.has(reference) || pull.contents.size < MAX_CONTENT) pull.contents.set(reference, content);
}

function summary(pull: Pull): EndedPull {
  const { image, digest, startedMs, lastMs, localBytes, flightBytes } = pull;
  const contents = [...pull.contents];
  const misses = contents.flatMap(([reference, { kind, reason }]) =>
    reason === undefined ? [] : [{ kind, reference, reason }],
  );
  const peers = [...pull.peers]
    .map(([address, { bytes, firstMs, lastMs }]) => ({
      address,
      bytes,
      bytesPerSecond: Math.round((bytes / Math.max(1, lastMs - firstMs)) * SECOND_MS),
    }))
    .toSorted((a, b) => b.bytes - a.bytes);
  return {
    image,
    digest,
    outcome: outcomeOf(contents.map(([, content]) => content)),
    durationMs: Math.round(lastMs - startedMs),
    localBytes,
    peerBytes: peers.reduce((sum, { bytes }) => sum + bytes, 0),
    flightBytes,
    peers: peers.slice(0, MAX_TOLD),
    misses: misses.slice(0, MAX_TOLD),
    missCount: misses.length,
  };
}

function outcomeOf(contents: readonly Content[]): PullOutcome {
  if (contents.some(({ outcome }) => outcome === 'client-gone')) return 'left';
  const missed = contents.filter(({ reason }) => reason !== undefined).length;
  if (missed === 0) return 'served';
  return contents.every(({ outcome }) => outcome === 'missing') ? 'missing' : 'partly';
}

function sourceOf({ registry = '', repository }: DistributionPath): string {
  return `${registry}/${repository}`;
}

function referenceOf(path: DistributionPath): string {
  return 'tag' in path ? path.tag : path.digest;
}
