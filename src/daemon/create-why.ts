import type { Router } from '../routing/router.ts';
import type { WhyQuestion, WhyReport } from '../routing/why-report.ts';
import type { Clock } from '../runtime/clock.ts';
import { createDeadline } from '../runtime/deadline.ts';
import type { ContentStore } from '../store/content-store.ts';
import { parseImageFilter } from '../store/image-filter.ts';
import type { SharingPolicy } from '../store/sharing-policy.ts';
import type { Transfer } from '../transfer/transfer.ts';
import { explain } from '../web/explain.ts';
import { imageArchitecture } from './image-architecture.ts';
import type { RegistryOptions } from './registry-options.ts';

/** All of an explanation, with the layers of an image and every peer that is asked, in ms. */
const EXPLAIN_TIMEOUT_MS = 20_000;

/** What createWhy needs. */
export interface WhyDeps {
  readonly store: ContentStore;
  readonly policy: SharingPolicy;
  readonly router: Router;
  readonly transfer: Pick<Transfer, 'standingOf' | 'probe' | 'peekManifest'>;
  readonly isStoreConnected: () => boolean;
  readonly clock: Clock;
}

/** What answers `spegel why`. The signal ends the lookups, and the requests to peers: the client has left. */
export function createWhy(
  { transfer, ...deps }: WhyDeps,
  options: Pick<
    RegistryOptions,
    'mirroredRegistries' | 'registryFilters' | 'mirrorResolveTimeoutMs' | 'mirrorResolveRetries'
  >,
): (question: WhyQuestion, signal: AbortSignal) => Promise<WhyReport> {
  const filters = options.registryFilters.map((expression) => ({
    expression,
    matches: parseImageFilter(expression),
  }));
  return async (question, signal) => {
    using deadline = createDeadline(deps.clock, EXPLAIN_TIMEOUT_MS, signal);
    return await explain(
      {
        ...deps,
        standingOf: (peer) => transfer.standingOf(peer),
        probe: async (probed, signal) => transfer.probe(probed, signal),
        async fetchManifest({ key, target }, signal) {
          const fetched = await transfer.peekManifest({ key, ...target }, signal);
          return 'bytes' in fetched ? fetched : undefined;
        },
      },
      {
        mirroredRegistries: options.mirroredRegistries,
        filters,
        resolveTimeoutMs: options.mirrorResolveTimeoutMs,
        resolveRetries: options.mirrorResolveRetries,
        platform: { os: 'linux', architecture: imageArchitecture() },
      },
      question,
      deadline.signal,
    );
  };
}
