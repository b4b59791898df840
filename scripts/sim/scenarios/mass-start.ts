import type { LookupOutcome } from '../sim-cluster.ts';
import {
  goal,
  lookupFigures,
  nodeFigures,
  pairs,
  type Scenario,
  startCluster,
  successOf,
} from '../scenario.ts';

/** All within so long: a node pool that starts. */
const SPREAD_MS = 50;
const READY_LIMIT_MS = 5000;
/** When everything has to be findable, from the start. */
const FINDABLE_LIMIT_MS = 15_000;
const ROUND_MS = 1000;

/** All nodes start at once, with keys. */
export const massStart: Scenario = {
  name: 'mass-start',
  question: 'When everybody starts together: when is everyone ready, and when is everything found?',
  async run(options) {
    const cluster = await startCluster(options, { spreadMs: SPREAD_MS, settleMs: 0 });
    for (const [index, node] of [...cluster.nodes].entries()) {
      cluster.provide(
        node,
        Array.from({ length: options.keysPerNode }, (_, key) => `own-${index}-${key}`),
      );
    }
    await cluster.until(() => cluster.nodes.every(({ readyMs }) => readyMs !== undefined), FINDABLE_LIMIT_MS);
    const readyMs = Math.max(...cluster.nodes.map((node) => (node.readyMs ?? Infinity) - node.startedMs));
    let findableMs: number | undefined;
    let last: readonly LookupOutcome[] = [];
    while (cluster.time.nowMs() < 2 * FINDABLE_LIMIT_MS) {
      const startMs = cluster.time.nowMs();
      last = await cluster.lookups(pairs(cluster, options.lookups), { gapMs: ROUND_MS / options.lookups });
      if (successOf(last) === 1) findableMs ??= startMs;
      else findableMs = undefined;
    }
    return {
      cluster,
      goals: [
        goal('everyone ready, ms', readyMs, { max: READY_LIMIT_MS }),
        goal('everything found from, ms', findableMs, { max: FINDABLE_LIMIT_MS }),
      ],
      figures: {
        readyMs,
        findableMs: findableMs ?? -1,
        dialsPerNode: cluster.network.dials.tried / cluster.nodes.length,
        dialsRefused: cluster.network.dials.refused,
        dialsTimedOut: cluster.network.dials.timedOut,
        ...lookupFigures('present', last),
        ...nodeFigures(cluster),
      },
    };
  },
};
