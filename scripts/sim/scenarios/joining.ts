import { goal, pairs, type Scenario, startCluster, successOf } from '../scenario.ts';

const PROVIDERS = 3;
const KEYS = 20;
/** New nodes connect and get their records meanwhile. */
const JOINING_MS = 400;
/** That moment is short: many more lookups than elsewhere. */
const JOINING_LOOKUPS = 5;
/** New nodes have the records that belong to them by then. */
const PLACED_MS = 8000;
const SETTLE_MS = 12_000;

/** A cluster is replaced by another one, node by node but for who has the content. */
export const joining: Scenario = {
  name: 'joining',
  question: 'When as many nodes join as there are, and the old ones die, is everything found?',
  async run(options) {
    const half = Math.ceil(options.nodes / 2);
    const cluster = await startCluster({ ...options, nodes: half }, { spareHosts: half });
    const providers = cluster.random.sample(cluster.nodes, PROVIDERS);
    for (const [index, node] of providers.entries()) {
      cluster.provide(
        node,
        Array.from({ length: KEYS }, (_, key) => `own-${index}-${key}`),
      );
    }
    await cluster.time.pass(PLACED_MS);
    const old = [...cluster.nodes];
    const young = cluster.network.hosts.slice(half).map((host) => cluster.start({ host }));
    // While records are on their way to them, those who have none yet must not be believed.
    const count = JOINING_LOOKUPS * options.lookups;
    const meanwhile = await cluster.lookups(pairs(cluster, count, { askers: old }), {
      gapMs: JOINING_MS / count,
    });
    await cluster.time.pass(PLACED_MS);
    for (const node of old) if (!providers.includes(node)) cluster.end(node, 'crash');
    await cluster.time.pass(SETTLE_MS);
    const after = await cluster.lookups(pairs(cluster, options.lookups, { askers: young }));
    return {
      cluster,
      goals: [
        goal('share found while nodes join', successOf(meanwhile), { min: 1 }),
        goal('share found when the old nodes are gone', successOf(after), { min: 1 }),
      ],
      figures: { meanwhileSuccess: successOf(meanwhile), afterSuccess: successOf(after) },
    };
  },
};
