import type { ClientResponse } from '../http/transport.ts';
import type { Logger } from '../observe/log.ts';
import type { PullLog } from '../observe/pull-log.ts';
import type { EndedTransfer } from '../observe/transfer-log.ts';
import type { Digest } from '../oci/digest.ts';
import type { DistributionPath } from '../oci/distribution-path.ts';
import type { Descriptor } from '../oci/manifest.ts';
import type { Clock } from '../runtime/clock.ts';
import {
  addNamed,
  addTransfer,
  createPullRecord,
  endedDetailsOf,
  isGot,
  leadsTo,
  leftOf,
  type PullRecord,
  remember,
  type RunningRequest,
  runningOf,
  sourceOf,
  summaryOf,
  withSource,
} from './pull-record.ts';

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
/** What createPullTracker needs. */
export interface PullTrackerDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where pulls are kept for those who look; undefined: nowhere. */
  readonly pulls?: Pick<PullLog, 'ended' | 'runningFrom'> | undefined;
}

/** A request that is part of a pull. Dispose it when the request has ended. */
export interface AskedPull extends Disposable {
  /** It moved something, or missed. */
  ended(transfer: EndedTransfer): void;
  /** It is given from there, an address or `local`, from now on. */
  from(origin: string): void;
}

/**
 * Finds out which requests of this node's own containerd are one pull, and tells of each pull once, when it is over: when all
 * that is missing here of its manifest was asked for, or nothing was asked for a while.
 */
export interface PullTracker {
  /** This node's own containerd asks, until the result is disposed. Undefined for a blob of which no pull is known. */
  asked(
    path: DistributionPath,
    method: 'GET' | 'HEAD',
    client: Pick<ClientResponse, 'movedBytes'>,
  ): AskedPull | undefined;
  /** What a manifest leads to: the manifests of an index, or the content of an image that is not here. */
  readonly named: (manifest: Digest, kind: 'index' | 'manifest', references: readonly Descriptor[]) => void;
}

/** Starts without any pull. */
export function createPullTracker({ clock, logger, pulls }: PullTrackerDeps): PullTracker {
  const open = new Set<PullRecord>();
  let isWatching = false;
  /** Pulls so far. */
  let count = 0;
  pulls?.runningFrom(() =>
    // A look at a tag that is here may be all that comes.
    [...open]
      .filter(({ contents, requests, wanted }) => contents.size + requests.size + wanted.size > 0)
      .map((pull) => runningOf(pull, clock.nowMs()))
      .toReversed(),
  );

  const tell = (pull: PullRecord) => {
    open.delete(pull);
    // A look at a tag that is here is not a pull.
    if (pull.contents.size === 0) return;
    const ended = summaryOf(pull);
    const agoMs = clock.nowMs() - pull.lastMs;
    logger.info('pull ended', { ...ended });
    pulls?.ended({ ...ended, ...endedDetailsOf(pull) }, agoMs);
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
  const begin = (path: DistributionPath): PullRecord => {
    const pull = createPullRecord(++count, path, clock.nowMs());
    open.add(pull);
    const [oldest] = open;
    if (open.size > MAX_OPEN && oldest !== undefined) tell(oldest);
    void watch();
    return pull;
  };
  /** The pull that the content belongs to; the newest of its repository if no manifest says so. */
  const find = (source: string, reference: string): PullRecord | undefined => {
    let newest: PullRecord | undefined;
    let belongs: PullRecord | undefined;
    for (const pull of open) {
      if (pull.source !== source) continue;
      newest = pull;
      if (leadsTo(pull, reference)) belongs = pull;
    }
    return belongs ?? newest;
  };

  const tellIfOver = (pull: PullRecord) => {
    if (open.has(pull) && pull.running === 0 && leftOf(pull) === 0 && isGot(pull)) tell(pull);
  };

  return {
    asked(path, method, client) {
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
      pull.running++;
      pull.lastMs = clock.nowMs();
      const request = new TrackedRequest({ clock, tellIfOver }, pull, { reference, kind: path.kind, client });
      if (method === 'GET') pull.requests.add(request);
      return request;
    },
    named(manifest, kind, references) {
      for (const pull of open) {
        if (pull.manifests.has(manifest)) addNamed(pull, manifest, kind, references);
      }
    },
  };
}

/** What a request of a pull needs. */
interface TrackedRequestDeps {
  readonly clock: Clock;
  /** Called when a request of the pull has ended. */
  readonly tellIfOver: (pull: PullRecord) => void;
}

/** What is asked for, and by which client. */
interface TrackedContent {
  readonly reference: string;
  readonly kind: 'manifest' | 'blob';
  readonly client: Pick<ClientResponse, 'movedBytes'>;
}

/** A request that is part of a pull. A class, because each request makes such an object. */
class TrackedRequest implements AskedPull, RunningRequest {
  readonly reference: string;
  readonly kind: 'manifest' | 'blob';
  sources: readonly string[] = [];
  readonly #deps: TrackedRequestDeps;
  readonly #pull: PullRecord;
  readonly #client: Pick<ClientResponse, 'movedBytes'>;

  constructor(deps: TrackedRequestDeps, pull: PullRecord, { reference, kind, client }: TrackedContent) {
    this.#deps = deps;
    this.#pull = pull;
    this.#client = client;
    this.reference = reference;
    this.kind = kind;
  }

  get movedBytes(): number {
    return this.#client.movedBytes;
  }

  ended(transfer: EndedTransfer): void {
    this.#pull.requests.delete(this);
    addTransfer(this.#pull, transfer, this.#deps.clock.nowMs());
  }

  from(origin: string): void {
    this.sources = withSource(this.sources, origin);
  }

  [Symbol.dispose](): void {
    const pull = this.#pull;
    pull.requests.delete(this);
    pull.running--;
    pull.lastMs = this.#deps.clock.nowMs();
    this.#deps.tellIfOver(pull);
  }
}

function referenceOf(path: DistributionPath): string {
  return 'tag' in path ? path.tag : path.digest;
}
