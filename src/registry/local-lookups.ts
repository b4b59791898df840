import type { ClientResponse } from '../http/transport.ts';
import type { Logger } from '../observe/log.ts';
import type { Digest } from '../oci/digest.ts';
import type { DistributionProblem } from '../oci/distribution-error.ts';
import type { RoutablePath } from '../oci/distribution-path.ts';
import type { Clock } from '../runtime/clock.ts';
import { createDeadline, type Deadline } from '../runtime/deadline.ts';
import {
  type Blob,
  type ContentStore,
  type StoreCallOptions,
  StoreUnavailableError,
} from '../store/content-store.ts';
import type { SharingPolicy } from '../store/sharing-policy.ts';
import type { AdmittedRequest } from './content-request.ts';
import { storeUnavailable, unknownContent } from './responses.ts';

/**
 * containerd answers within a few ms. One that hangs must leave the rest of the 3 s that a manifest may take in all
 * to the peers.
 */
const STORE_TIMEOUT_MS = 300;

/** What createLocalLookups needs. */
export interface LocalLookupsDeps {
  readonly store: Pick<ContentStore, 'resolve' | 'stat'>;
  readonly policy: Pick<SharingPolicy, 'sharesDigest'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told of a key that was asked for here and is not here (any more), so that it is no longer announced. */
  readonly contentMissing: (key: string) => void;
}

/** What the store said. */
export interface LocalAnswer<T> {
  readonly value: T | undefined;
  /** It did not answer: nothing is known to be missing. */
  readonly away: boolean;
}

/** Looks content up in the store of this node, for requests. */
export interface LocalLookups {
  /**
   * What the lookup finds, at once if it does; nothing while containerd is away, too: peers may have it, and upstream does.
   */
  orAway<T>(
    client: ClientResponse,
    lookup: (options: StoreCallOptions) => T | undefined | Promise<T | undefined>,
  ): LocalAnswer<T> | Promise<LocalAnswer<T>>;
  /** The digest that the path names, if it is shared. */
  digest(path: RoutablePath, options: StoreCallOptions): Promise<Digest | undefined>;
  /** The blob, if it is here and shared, with its bytes if it has at most so many and they are at hand; as of orAway(). */
  blob(
    digest: Digest,
    client: ClientResponse,
    bytesUpTo: number | undefined,
  ): LocalAnswer<Blob> | Promise<LocalAnswer<Blob>>;
  /** True for content that is shared with other nodes, whether it is here or not. */
  isShared(digest: Digest): boolean;
  /** What is not here is not announced; for another node, that is the answer. */
  notHere(key: string, away: boolean, request: AdmittedRequest): DistributionProblem | undefined;
}

/** Makes the lookups. */
export function createLocalLookups({
  store,
  policy,
  clock,
  logger,
  contentMissing,
}: LocalLookupsDeps): LocalLookups {
  const wait = async <T>(
    lookup: Promise<T | undefined>,
    deadlineOf: () => Deadline | undefined,
  ): Promise<LocalAnswer<T>> => {
    try {
      return { value: await lookup, away: false };
    } catch (error) {
      const signal = deadlineOf()?.signal;
      const late = signal?.aborted === true && error === signal.reason;
      if (!late && !(error instanceof StoreUnavailableError)) throw error;
      logger.debug('store unavailable for a request', { error });
      return { value: undefined, away: true };
    } finally {
      deadlineOf()?.[Symbol.dispose]();
    }
  };
  const orAway: LocalLookups['orAway'] = (client, lookup) => {
    // Begins when something has to be waited for: what is known, and here, is not.
    let deadline: Deadline | undefined;
    const found = lookup({
      waitSignal() {
        deadline ??= createDeadline(clock, STORE_TIMEOUT_MS, client.gone);
        return deadline.signal;
      },
    });
    return found instanceof Promise ? wait(found, () => deadline) : { value: found, away: false };
  };

  return {
    orAway,
    async digest(path, options) {
      const digest =
        'digest' in path
          ? path.digest
          : await store.resolve(path.registry, path.repository, path.tag, options);
      return digest !== undefined && policy.sharesDigest(digest) ? digest : undefined;
    },
    blob: (digest, client, bytesUpTo) =>
      policy.sharesDigest(digest)
        ? orAway(client, ({ waitSignal }) => store.stat(digest, { waitSignal, bytesUpTo }))
        : { value: undefined, away: false },
    isShared: (digest) => policy.sharesDigest(digest),
    notHere(key, away, { forwarded, path }) {
      // What a filter hides is not missing: an image that is shared may lead to it later.
      const isHidden = 'digest' in path && !policy.sharesDigest(path.digest);
      if (!away && !isHidden) contentMissing(key);
      if (!forwarded) return undefined;
      return away ? storeUnavailable() : unknownContent(path);
    },
  };
}
