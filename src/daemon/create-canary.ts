import { randomBytes } from 'node:crypto';
import { type Canary, createCanary } from '../canary/canary.ts';
import { canaryRegistry } from '../canary/canary-name.ts';
import type { CanaryOutcome } from '../canary/canary-result.ts';
import { runCanaries } from '../canary/run-canaries.ts';
import { createContainerdClient } from '../containerd/containerd-client.ts';
import { createCriImages } from '../containerd/cri-images.ts';
import type { Logger } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Clock } from '../runtime/clock.ts';
import { createWakeUp } from '../runtime/wake-up.ts';
import type { AskableCanary } from '../web/metrics-app.ts';
import { imageArchitecture } from './image-architecture.ts';
import type { RegistryOptions } from './registry-options.ts';

/** The namespace of the CRI plugin, which no setting changes. */
const CRI_NAMESPACE = 'k8s.io';

/** What /readyz says. It has no text of containerd, which may tell strangers too much. */
const NOTES: Readonly<Record<CanaryOutcome, string>> = {
  used: 'containerd asks this mirror',
  'not-used': 'containerd does not ask this mirror; spegel doctor --canary says more',
  unknown: 'it is not known whether containerd asks this mirror',
};

/** What createNodeCanary needs. */
export interface NodeCanaryDeps {
  readonly metrics: Pick<Metrics, 'canaryEnded'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The canary of this node, with what the parts of the daemon take of it. Dispose it to close its connections to containerd. */
export interface NodeCanary
  extends Pick<Canary, 'answer' | 'refused' | 'heard' | 'isCanaryContent'>, Disposable {
  /** For `/debug/canary`. */
  readonly ask: AskableCanary;
  /** One line for `/readyz`. */
  readonly note: () => string;
  /** containerd has begun to answer. */
  readonly containerdUp: () => void;
  /** Runs it after the start, after each restart of containerd, and each hour, until the signal aborts. */
  readonly watch: (signal: AbortSignal) => Promise<void>;
}

/** Makes the canary over containerd's CRI; undefined if it is switched off. `stop` ends its runs. */
export function createNodeCanary(
  { metrics, clock, logger }: NodeCanaryDeps,
  options: Pick<RegistryOptions, 'canaryEnabled' | 'containerdSock' | 'mirroredRegistries'>,
  stop: AbortSignal,
): NodeCanary | undefined {
  if (!options.canaryEnabled) return undefined;
  const { containerdSock: socketPath } = options;
  const registry = canaryRegistry(options.mirroredRegistries);
  const images = createCriImages(socketPath);
  const client = createContainerdClient({ socketPath, namespace: CRI_NAMESPACE });
  let starts = 0;
  const started = createWakeUp();
  const canary = createCanary(
    {
      runtime: {
        pull: async (reference, { signal }) => images.pull(reference, { signal }),
        remove: async (reference) => images.remove(reference),
        listImages: async () => (await client.listImages()).map(({ name }) => name),
        isUp: async () =>
          client.version().then(
            () => true,
            () => false,
          ),
      },
      random: () => randomBytes(16).toString('hex'),
      onEnded: (result) => metrics.canaryEnded(result),
      clock,
      logger,
    },
    { registry, architecture: imageArchitecture() },
  );
  return {
    answer: (request) => canary.answer(request),
    refused: (path) => canary.refused(path),
    heard: (name) => canary.heard(name),
    isCanaryContent: (digest) => canary.isCanaryContent(digest),
    ask: {
      last: () => canary.last(),
      run: async () => canary.run(stop),
      isRunning: () => canary.isRunning,
      restMs: () => canary.restMs(),
    },
    note: () => NOTES[canary.last()?.outcome ?? 'unknown'],
    containerdUp() {
      starts++;
      canary.containerdStarted();
      started.wake();
    },
    watch: async (signal) =>
      runCanaries({ canary, starts: () => starts, started, clock }, { registry }, signal),
    [Symbol.dispose]() {
      images.close();
      client.close();
    },
  };
}
