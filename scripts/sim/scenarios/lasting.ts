import { goal, nodeFigures, pairs, type Scenario, startCluster, successOf } from '../scenario.ts';

const MINUTE_MS = 60_000;
/** Past the time that a record is good for, its sweep and what is known of the dead. */
const LONG_MS = 24 * MINUTE_MS;
const KEYS = 10;
const SETTLE_MS = 5000;

/** Records are renewed, and those of a node that is gone fade. Few nodes: it takes long. */
export const lasting: Scenario = {
  name: 'lasting',
  question: 'After 24 minutes: is everything found that is there, and nothing that is gone?',
  async run({ nodes, ...options }) {
    const cluster = await startCluster({ ...options, nodes: Math.min(nodes, 26) }, { spareHosts: 3 });
    for (const [index, node] of [...cluster.nodes].entries()) {
      cluster.provide(
        node,
        Array.from({ length: KEYS }, (_, key) => `own-${index}-${key}`),
      );
    }
    await cluster.time.pass(SETTLE_MS);
    const [gone] = cluster.random.sample(cluster.nodes, 1);
    if (gone === undefined) throw new RangeError('Too few nodes');
    const lost = cluster.keysOf(gone);
    cluster.end(gone, 'crash');
    await cluster.time.pass(LONG_MS);
    // It never met the one that is gone: what the others tell is all that it knows.
    const fresh = [cluster.start(), cluster.start(), cluster.start()];
    await cluster.time.pass(SETTLE_MS);
    const found = await cluster.lookups(pairs(cluster, options.lookups, { askers: fresh }));
    const ghosts = await cluster.lookups(
      lost.flatMap((key) => fresh.map((node) => [node, key] as const)),
      { all: true },
    );
    return {
      cluster,
      goals: [
        goal('share of keys found', successOf(found), { min: 1 }),
        goal('lookups that name who is gone', ghosts.filter(({ dead }) => dead.length > 0).length, {
          max: 0,
        }),
        goal('records of who is gone', recordsOf(cluster.nodes, lost), { max: 0 }),
      ],
      figures: { success: successOf(found), ...nodeFigures(cluster) },
    };
  },
};

function recordsOf(
  nodes: readonly { readonly dht: { recorded(key: string): readonly string[] } }[],
  keys: readonly string[],
): number {
  return keys.reduce(
    (total, key) => total + nodes.reduce((count, { dht }) => count + dht.recorded(key).length, 0),
    0,
  );
}
