import type { LabNode, PullOptions } from '../../lab/lab-node.ts';
import type { FaultyPull } from './faults.ts';

/** Options of startColdPull. */
export interface ColdPullOptions {
  readonly references: readonly string[];
  /** Pause before the first one, in ms. */
  readonly delayMs: number;
  readonly pull: Pick<PullOptions, 'credentials'>;
  /** A pull that fails is begun anew, as kubelet does it. */
  readonly retries: boolean;
}

/** What came of a node's pull. */
export interface ColdPullEnd {
  /** By performance.now(). */
  readonly endedMs: number;
  /** Why it failed; undefined: it did not. */
  readonly failure: string | undefined;
}

/** All images of one node, on their way. */
export interface ColdPull extends FaultyPull {
  readonly node: LabNode;
  /** Resolves when all images are there, or failed; with the last try. Never rejects. */
  ended(): Promise<ColdPullEnd>;
  /** How often it failed and was begun anew. */
  readonly retried: number;
}

const PULL_TIMEOUT_MS = 300_000;
/** kubelet begins with 10 s. The others wait 1 s for a leader that failed: to try again within that would renew it. */
const RETRY_MS = 3000;
/** From the first image's start to the next one's: the layers of both wait in the same queue of containerd. */
const NEXT_IMAGE_MS = 20;
const REASON_CHARACTERS = 200;

/** Begins to pull images on a node, the first one first. */
export function startColdPull(node: LabNode, options: ColdPullOptions): ColdPull {
  const { references, delayMs, retries } = options;
  let controller = new AbortController();
  let retried = 0;
  const pullOne = async (reference: string, signal: AbortSignal): Promise<void> => {
    const endMs = performance.now() + PULL_TIMEOUT_MS;
    for (;;) {
      try {
        await node.pull(reference, { ...options.pull, timeoutMs: PULL_TIMEOUT_MS, signal });
        return;
      } catch (error) {
        if (!retries || signal.aborted || performance.now() > endMs) throw error;
        retried++;
        await Bun.sleep(RETRY_MS);
      }
    }
  };
  const begin = async (firstDelayMs: number): Promise<ColdPullEnd> => {
    const { signal } = controller;
    const pulls = references.map(async (reference, at) => {
      await Bun.sleep(firstDelayMs + at * NEXT_IMAGE_MS);
      if (!signal.aborted) await pullOne(reference, signal);
    });
    const failed = (await Promise.allSettled(pulls)).find(({ status }) => status === 'rejected');
    return {
      endedMs: performance.now(),
      failure: failed?.status === 'rejected' ? String(failed.reason).slice(0, REASON_CHARACTERS) : undefined,
    };
  };
  let last = begin(delayMs);
  return {
    node,
    get retried() {
      return retried;
    },
    cancel: () => controller.abort(),
    again: () => {
      controller = new AbortController();
      last = begin(0);
    },
    ended: async () => {
      let waited;
      let end;
      do {
        waited = last;
        end = await waited;
      } while (waited !== last);
      return end;
    },
  };
}
