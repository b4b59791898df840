import { setTimeout as sleep } from 'node:timers/promises';
import type { LabNode } from '../../lab/lab-node.ts';
import { MIRROR_PORTS } from '../../lab/mirror.ts';
import { contentPath } from '../../lab/until-found.ts';
import { REGISTRY } from '../../lab/upstream.ts';
import type { HostileCluster, SharedImage } from './hostile-cluster.ts';
import type { LookupFigures } from './player-commands.ts';

/** What a node's containerd pulled, over and over. */
export interface PullFigures {
  readonly tookMs: readonly number[];
  /** What containerd said of pulls that failed. */
  readonly failures: readonly string[];
  /** Requests for blobs and manifests of the image that reached upstream: the mirror did not serve them. */
  readonly upstreamRequests: number;
}

/** What the victim does for its own containerd. */
export interface ProbeFigures {
  readonly lookups: LookupFigures;
  readonly pulls: PullFigures;
}

/** Between two lookups, in ms. */
const LOOKUP_PAUSE_MS = 25;
/** Between two pulls, in ms. */
const PULL_PAUSE_MS = 250;
/** kubelet waits for minutes; a pull of 3 MB that takes this long has failed, in ms. */
const PULL_TIMEOUT_MS = 30_000;

/** Looks things up and pulls on the victim until stop() is called. */
export async function startProbes(cluster: HostileCluster): Promise<{ stop(): Promise<ProbeFigures> }> {
  const { victim, content } = cluster;
  const { image, repository } = content.lookedUp;
  const lookups = await cluster.playLookups(victim.endpoint);
  const urls = image.blobs
    .filter(({ kind }) => kind === 'layer')
    .map((blob) => `http://127.0.0.1:${MIRROR_PORTS.registry}${contentPath(repository, blob)}`);
  await lookups.control.start({ urls, pauseMs: LOOKUP_PAUSE_MS });
  const pulls = await startPulls(cluster, victim, content.pulled);
  return {
    stop: async () => {
      const [pulled, lookedUp] = await Promise.all([pulls.stop(), lookups.control.stop({})]);
      await lookups.end();
      return { pulls: pulled, lookups: lookedUp };
    },
  };
}

/** Pulls an image on a node, removes it, and pulls it again, until stop() is called. */
export async function startPulls(
  { lab }: HostileCluster,
  node: LabNode,
  { image, repository }: SharedImage,
): Promise<{ stop(): Promise<PullFigures> }> {
  const reference = `${REGISTRY}/${repository}:v1`;
  const upstream = await lab.upstream.count();
  const stopping = new AbortController();
  const tookMs: number[] = [];
  const failures: string[] = [];
  const pulling = (async () => {
    while (!stopping.signal.aborted) {
      try {
        tookMs.push(await node.pull(reference, { timeoutMs: PULL_TIMEOUT_MS, signal: stopping.signal }));
      } catch (error) {
        if (!stopping.signal.aborted) failures.push(error instanceof Error ? error.message : String(error));
      }
      await node.removeImage(image).catch(() => undefined);
      await sleep(PULL_PAUSE_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  })();
  return {
    stop: async () => {
      stopping.abort();
      await pulling;
      const requests = await upstream.requests();
      return {
        tookMs,
        failures,
        upstreamRequests: requests.filter((request) => request.repository === repository).length,
      };
    },
  };
}
