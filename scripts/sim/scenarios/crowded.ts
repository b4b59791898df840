import { REPLICATION } from '../../../src/dht/limits.ts';
import {
  goal,
  lookupFigures,
  measureTraffic,
  nearest,
  nodeFigures,
  pairs,
  provideAll,
  type Scenario,
  startCluster,
  successOf,
} from '../scenario.ts';

const MINUTE_MS = 60_000;
/** One of so many of the others is all that a node has room for. */
const OTHERS_PER_CONNECTION = 3;
/** It has room for its neighbours in any case, and for as many others. */
const LEAST_CONNECTIONS = 2 * REPLICATION;
/** Connections that are let in before others have ended. */
const ON_TOP = 16;
/** Keys whose records are looked for where they belong. */
const PLACED_KEYS = 40;

/** No node has the memory to be connected to all others. */
export const crowded: Scenario = {
  name: 'crowded',
  question: 'Is everything found where each node has room for a third of the connections?',
  async run(options) {
    const room = Math.max(LEAST_CONNECTIONS, Math.floor(options.nodes / OTHERS_PER_CONNECTION));
    const maxConnections = Math.min(options.maxConnections, room);
    const cluster = await startCluster({ ...options, maxConnections });
    await provideAll(cluster, options);
    await cluster.time.pass(MINUTE_MS);
    const idle = await measureTraffic(cluster, MINUTE_MS);
    const present = await cluster.lookups(pairs(cluster, options.lookups));
    // A while later, with what those lookups and the sweeps have changed.
    await cluster.time.pass(options.minutes * MINUTE_MS);
    const later = await cluster.lookups(pairs(cluster, options.lookups));
    const known = Math.min(...cluster.nodes.map(({ dht }) => dht.stats().knownPeers));
    const dead = cluster.nodes.reduce((sum, { dht }) => sum + dht.stats().peers.dead, 0);
    return {
      cluster,
      goals: [
        goal('share of keys found', successOf(present), { min: 1 }),
        goal('share of keys found later', successOf(later), { min: 1 }),
        goal('share of records at their nearest nodes', placed(cluster), { min: 0.99 }),
        goal('connections of a node', nodeFigures(cluster)['connectionsMax'], {
          max: maxConnections + ON_TOP,
        }),
        goal('other nodes that each one knows', known, { min: cluster.nodes.length - 1 }),
        goal('nodes that are taken for dead', dead, { max: 0 }),
        // A fifteenth of the nodes provide anew, which leads each of them to most of the others.
        goal('dials per node in a minute', idle['idleDials'], { max: 2 + cluster.nodes.length / 15 }),
      ],
      figures: {
        ...lookupFigures('present', present),
        ...lookupFigures('later', later),
        ...idle,
        ...nodeFigures(cluster),
      },
    };
  },
};

function placed(cluster: Parameters<typeof nearest>[0]): number {
  let [count, there] = [0, 0];
  for (const key of cluster.random.sample(cluster.heldKeys(), PLACED_KEYS)) {
    const [holder] = cluster.holdersOf(key);
    for (const node of nearest(cluster, key, REPLICATION)) {
      count++;
      if (holder !== undefined && node.dht.recorded(key).includes(holder.name)) there++;
    }
  }
  return there / count;
}
