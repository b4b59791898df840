import { MAX_PEERS_PER_ANSWER, REPLICATION } from '../../../src/dht/limits.ts';
import { encodeGetProviders, parseProvidersAnswer } from '../../../src/dht/wire/get-providers-message.ts';
import { contentMultihash } from '../../../src/dht/wire/content-key.ts';
import type { SimCluster } from '../sim-cluster.ts';
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

const IDLE_MS = 60_000;
/** Keys whose records are looked for where they belong. */
const PLACED_KEYS = 40;
/** How soon new content is found by who has asked for it in vain a moment before. */
const FOUND_AFTER_MISS_MS = 500;

/** Nobody comes and nobody goes. */
export const quiet: Scenario = {
  name: 'quiet',
  question: 'What does a lookup find and cost when nothing happens, and what does doing nothing cost?',
  async run(options) {
    const cluster = await startCluster(options);
    await provideAll(cluster, options);
    const idle = await measureTraffic(cluster, IDLE_MS);
    const before = cluster.network.traffic.lookup.messages;
    const present = await cluster.lookups(pairs(cluster, options.lookups));
    const messagesPerLookup = (cluster.network.traffic.lookup.messages - before) / options.lookups;
    const absent = await cluster.lookups(
      Array.from({ length: options.lookups }, (_, index) => [
        cluster.random.pick(cluster.nodes),
        `absent-${index}`,
      ]),
    );
    const inventions = absent.filter(({ providers }) => providers.length > 0).length;
    return {
      cluster,
      goals: [
        goal('share of keys found', successOf(present), { min: 1 }),
        goal('providers of what nobody has', inventions, { max: 0 }),
        goal(`share of records at their ${REPLICATION} nearest nodes`, placed(cluster), { min: 0.99 }),
        goal('share found after a miss', await foundAfterMiss(cluster), { min: 1 }),
        goal('providers that one node names of a popular key', await namedOfPopular(cluster), {
          min: Math.min(cluster.nodes.length - 2, MAX_PEERS_PER_ANSWER + 1),
        }),
      ],
      figures: {
        ...lookupFigures('present', present),
        messagesPerLookup,
        absentP99Ms:
          absent.map(({ endedMs }) => endedMs).sort((a, b) => b - a)[Math.floor(absent.length / 100)] ?? 0,
        ...idle,
        ...nodeFigures(cluster),
      },
    };
  },
};

function placed(cluster: SimCluster): number {
  let count = 0;
  let there = 0;
  for (const key of cluster.random.sample(cluster.heldKeys(), PLACED_KEYS)) {
    const [holder] = cluster.holdersOf(key);
    // One more than k: the provider itself may be among the nearest, and keeps its own record besides.
    for (const node of nearest(cluster, key, REPLICATION)) {
      count++;
      if (holder !== undefined && node.dht.recorded(key).includes(holder.name)) there++;
    }
  }
  return there / count;
}

async function foundAfterMiss(cluster: SimCluster): Promise<number> {
  const asked = Array.from({ length: 5 }, (_, index) => {
    const [holder, asker] = cluster.random.sample(cluster.nodes, 2);
    return { holder, asker, key: `late-${index}` };
  });
  let found = 0;
  for (const { holder, asker, key } of asked) {
    if (holder === undefined || asker === undefined) continue;
    await cluster.lookups([[asker, key]]);
    cluster.provide(holder, [key]);
    await cluster.time.pass(FOUND_AFTER_MISS_MS);
    found += successOf(await cluster.lookups([[asker, key]]));
    // And who asks right before: the miss is kept, but not for long.
    const next = `${key}-soon`;
    const early = cluster.lookup(asker, next);
    await cluster.time.pass(FOUND_AFTER_MISS_MS / 5);
    cluster.provide(holder, [next]);
    await cluster.time.pass(FOUND_AFTER_MISS_MS);
    found += successOf(await cluster.lookups([[asker, next]]));
    // Where it goes wrong it takes longer, and needs time to pass.
    await early;
  }
  return found / (2 * asked.length);
}

/** All have the key: one node that keeps the records is asked ten times. */
async function namedOfPopular(cluster: SimCluster): Promise<number> {
  const key = 'popular';
  for (const node of cluster.nodes) cluster.provide(node, [key]);
  await cluster.time.pass(5000);
  const [keeper] = nearest(cluster, key, 1);
  const asker = cluster.nodes.find((node) => keeper !== undefined && node.isConnectedTo(keeper.name));
  if (keeper === undefined || asker === undefined) return 0;
  const multihash = contentMultihash(key);
  const names = new Set<string>();
  for (let time = 0; time < 10; time++) {
    const answer = asker.askRaw(keeper.name, encodeGetProviders(multihash));
    await cluster.time.pass(1000);
    for (const { id } of parseProvidersAnswer(await answer, multihash).providers) names.add(id.toHex());
  }
  return names.size;
}
