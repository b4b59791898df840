import type { Logger } from '../observe/log.ts';
import { blobHeaders, manifestHeaders } from '../oci/content-headers.ts';
import type { Digest } from '../oci/digest.ts';
import { DistributionError } from '../oci/distribution-error.ts';
import type { DistributionPath } from '../oci/distribution-path.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';
import type { Clock } from '../runtime/clock.ts';
import { createDeadline } from '../runtime/deadline.ts';
import { createTokenBucket } from '../runtime/token-bucket.ts';
import { StoreUnavailableError } from '../store/content-store.ts';
import { type CanaryImage, createCanaryImage } from './canary-image.ts';
import { isCanaryRepository, NO_REGISTRY } from './canary-name.ts';
import type { CanaryOutcome, CanaryResult } from './canary-result.ts';
import { type CanaryRun, describeRun } from './describe-run.ts';

const SECOND_MS = 1000;
/** A pull of some hundred bytes from this node takes a fraction of a second; containerd asks its first host at once. */
export const CANARY_DEADLINE_MS = 10 * SECOND_MS;
/** Between two runs, whoever asks for them. */
const REST_MS = 3 * SECOND_MS;
/**
 * How often runs may be asked for that may make containerd ask a registry, because it did not ask the mirror before: an operator tries
 * a few fixes, and whoever reaches the port makes no load for a registry.
 */
const DOUBTFUL_RUNS = { burst: 5, perSecond: 1 / 300 } as const;
/** Runs whose content is known as a canary's: containerd forgets it with the image, at the latest at the next collection. */
const MAX_REMEMBERED = 16;

/** What pulls: containerd's CRI. */
export interface CanaryRuntime {
  /**
   * Pulls an image. Rejects with StoreUnavailableError if nothing can be told to pull here, with the signal's reason, and with
   * any other error for a pull that has failed.
   */
  pull(reference: string, options: { readonly signal: AbortSignal }): Promise<void>;
  /** Removes all names of an image with its content. One that is not there is removed. */
  remove(reference: string): Promise<void>;
  /** The names of all images. */
  listImages(): Promise<readonly string[]>;
  /** True if containerd answers. */
  isUp(): Promise<boolean>;
}

/** What createCanary needs. */
export interface CanaryDeps {
  readonly runtime: CanaryRuntime;
  /** Gives 32 hex digits that nothing can guess, others each time. */
  readonly random: () => string;
  /** Told of each run that has ended. */
  readonly onEnded: (result: CanaryResult) => void;
  readonly clock: Clock;
  /** Milliseconds since the epoch. Default that of the machine. */
  readonly nowUnixMs?: () => number;
  readonly logger: Logger;
}

/** Options of createCanary. */
export interface CanaryOptions {
  /** See canaryRegistry(). */
  readonly registry: string;
  /** Of this machine, as Go names it. */
  readonly architecture: string;
}

/** A request to the mirror for what may be a canary. */
export interface CanaryRequest {
  readonly method: 'GET' | 'HEAD';
  readonly path: DistributionPath;
  /** True for a request that another node has passed on. */
  readonly forwarded: boolean;
  /** The client's address. */
  readonly from: string;
}

/** A small answer. */
export interface CanaryAnswer {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
}

/**
 * Finds out whether containerd uses this mirror: has it pull an image that only this process can answer for, and looks
 * whether it asks. Only who was told the image's name can ask for it, so that whoever does was sent by this run.
 */
export interface Canary {
  /**
   * Answers a request for a canary; undefined: it is for something else. Throws DistributionError: 404 for a canary that is not
   * under way.
   */
  answer(request: CanaryRequest): CanaryAnswer | undefined;
  /** Tells of a request that was refused before answer(), because it had no password that fits. */
  refused(path: DistributionPath): void;
  /** A client of this node, and not another node, has asked the mirror for something of the registry. */
  heard(registry: string): void;
  /** True if that was the canary's registry, since the last run began: containerd seems to use the mirror for it. */
  readonly isHeard: boolean;
  /** containerd was started, perhaps with another configuration: whoever may do that on this node may try again. */
  containerdStarted(): void;
  /** True for the content of the last runs. */
  isCanaryContent(digest: Digest): boolean;
  /** Runs now, or takes part in the run that is under way. Rejects with the signal's reason, for nothing else. */
  run(signal: AbortSignal): Promise<CanaryResult>;
  /** True while a run is under way. */
  readonly isRunning: boolean;
  /**
   * How long to wait until the next run that is asked for may begin, in ms. Minutes once some runs have made containerd ask a registry.
   */
  restMs(): number;
  /** The run that ended last. */
  last(): CanaryResult | undefined;
}

/** Starts without a run. */
export function createCanary(deps: CanaryDeps, { registry, architecture }: CanaryOptions): Canary {
  const { runtime, random, onEnded, clock, logger, nowUnixMs = Date.now } = deps;
  let current: CanaryRun | undefined;
  let running: Promise<CanaryResult> | undefined;
  let last: CanaryResult | undefined;
  let lastEndMs = -Infinity;
  let isHeard = false;
  /** An earlier process may have ended in the middle of a run. */
  let mayHaveLeftovers = true;
  const remembered: CanaryImage[] = [];
  const createDoubtfulRuns = () => createTokenBucket(() => clock.nowMs(), DOUBTFUL_RUNS);
  let doubtfulRuns = createDoubtfulRuns();
  const isDoubtful = () => last?.outcome === 'not-used' && !isHeard && registry !== NO_REGISTRY;

  const remove = async (reference: string): Promise<boolean> => {
    try {
      await runtime.remove(reference);
      return true;
    } catch (error) {
      logger.warn('the canary image could not be removed, trying again at the next run', {
        image: reference,
        error,
      });
      mayHaveLeftovers = true;
      return false;
    }
  };
  const removeLeftovers = async (): Promise<void> => {
    if (!mayHaveLeftovers) return;
    // containerd that does not answer is found out by the run.
    const names = await runtime.listImages().catch(() => undefined);
    if (names === undefined) return;
    mayHaveLeftovers = false;
    for (const name of names.filter(isCanaryTag)) await remove(name);
  };
  const outcomeOf = async (run: CanaryRun, error: unknown): Promise<CanaryOutcome> => {
    if (run.askedAfterMs !== undefined) return 'used';
    if (error instanceof StoreUnavailableError) return 'unknown';
    return (await runtime.isUp()) ? 'not-used' : 'unknown';
  };
  const runOnce = async (signal: AbortSignal): Promise<CanaryResult> => {
    await removeLeftovers();
    signal.throwIfAborted();
    const image = createCanaryImage({ registry, architecture, random });
    remembered.push(image);
    if (remembered.length > MAX_REMEMBERED) remembered.shift();
    const startedAt = new Date(nowUnixMs()).toISOString();
    const run: CanaryRun = {
      image,
      startedMs: clock.nowMs(),
      requests: 0,
      askedAfterMs: undefined,
      askedFrom: undefined,
      isRefused: false,
    };
    current = run;
    isHeard = false;
    let error: unknown;
    try {
      using deadline = createDeadline(clock, CANARY_DEADLINE_MS, signal);
      await runtime.pull(image.reference, { signal: deadline.signal });
    } catch (failure) {
      error = failure;
    }
    current = undefined;
    const durationMs = Math.round(clock.nowMs() - run.startedMs);
    // containerd has nothing of an image that it could not be told to pull.
    const isRemoved = error instanceof StoreUnavailableError || (await remove(image.reference));
    signal.throwIfAborted();
    const outcome = await outcomeOf(run, error);
    return {
      outcome,
      text: describeRun(run, { outcome, error, durationMs, isForAll: registry === NO_REGISTRY }),
      image: image.reference,
      startedAt,
      durationMs,
      askedAfterMs: run.askedAfterMs,
      askedFrom: run.askedFrom,
      requests: run.requests,
      isPulled: error === undefined,
      isRemoved,
    };
  };

  return {
    answer({ method, path, forwarded, from }) {
      if (!isCanaryRepository(path.repository)) return undefined;
      const run = current;
      const content = run === undefined || forwarded ? undefined : contentOf(run.image, path);
      if (run === undefined || content === undefined) {
        const code = path.kind === 'manifest' ? 'MANIFEST_UNKNOWN' : 'BLOB_UNKNOWN';
        throw new DistributionError(404, code, 'This canary is not one that is under way on this node');
      }
      run.requests += 1;
      run.askedAfterMs ??= Math.round(clock.nowMs() - run.startedMs);
      run.askedFrom ??= from;
      return answerWith(content, path, method);
    },
    refused(path) {
      if (current !== undefined && contentOf(current.image, path) !== undefined) current.isRefused = true;
    },
    heard(name) {
      if (name === registry) isHeard = true;
    },
    get isHeard() {
      return isHeard;
    },
    containerdStarted() {
      doubtfulRuns = createDoubtfulRuns();
    },
    isCanaryContent: (digest) => remembered.some(({ contents }) => contents.has(digest)),
    async run(signal) {
      if (running === undefined && isDoubtful()) doubtfulRuns.take();
      running ??= runOnce(signal)
        .then((result) => {
          last = result;
          onEnded(result);
          logResult(logger, result);
          return result;
        })
        .finally(() => {
          running = undefined;
          lastEndMs = clock.nowMs();
        });
      return running;
    },
    get isRunning() {
      return running !== undefined;
    },
    restMs: () =>
      Math.max(0, lastEndMs + REST_MS - clock.nowMs(), isDoubtful() ? Math.ceil(doubtfulRuns.waitMs()) : 0),
    last: () => last,
  };
}

function logResult(logger: Logger, { outcome, text, ...fields }: CanaryResult): void {
  if (outcome === 'used') logger.info('containerd asks this mirror', { text, ...fields });
  else if (outcome === 'not-used') logger.error('containerd does not ask this mirror', { text, ...fields });
  else logger.warn('it is not known whether containerd asks this mirror', { text, ...fields });
}

/** True for the name with a tag, by which the CRI removes all names of a canary. */
function isCanaryTag(name: string): boolean {
  const [, repository = ''] = /^[^/]+\/(.+):[0-9a-f]{32}$/.exec(name) ?? [];
  return isCanaryRepository(repository);
}

interface CanaryContent {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

function contentOf(image: CanaryImage, path: DistributionPath): CanaryContent | undefined {
  const { registry, repository, manifest, contents } = image;
  if (path.repository !== repository || (path.registry ?? registry) !== registry) return undefined;
  const digest = 'digest' in path ? path.digest : path.tag === image.tag ? manifest : undefined;
  const bytes = digest === undefined ? undefined : contents.get(digest);
  if (digest === undefined || bytes === undefined) return undefined;
  return (path.kind === 'manifest') === (digest === manifest) ? { digest, bytes } : undefined;
}

function answerWith(
  { digest, bytes }: CanaryContent,
  { kind, registry }: DistributionPath,
  method: 'GET' | 'HEAD',
): CanaryAnswer {
  const facts = { digest, registry, origin: 'canary' };
  const headers =
    kind === 'manifest'
      ? manifestHeaders({ ...facts, mediaType: MEDIA_TYPE.ociManifest })
      : // It is too short for ranges.
        { ...blobHeaders(facts), 'accept-ranges': 'none' };
  return {
    status: 200,
    headers: { ...headers, 'content-length': String(bytes.length) },
    body: method === 'HEAD' ? undefined : bytes,
  };
}
