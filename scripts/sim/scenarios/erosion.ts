import type { SimCluster } from '../sim-cluster.ts';
import { goal, nearest, pairs, type Scenario, startCluster, successOf } from '../scenario.ts';
import { EARLY_REPLICAS } from '../../../src/dht/provide/reprovider.ts';

const KEYS = 4;
/** A new key has all its replicas by then. */
const PLACED_MS = 1500;
/** Whoever is gone for a minute is replaced. */
const REPLACED_MS = 75_000;
const ROUNDS = 4;
const SETTLE_MS = 12_000;

/** The nodes that keep the records of a key die, those closest to it first. */
export const erosion: Scenario = {
  name: 'erosion',
  question: 'When those who keep the records of a key die, five at a time, is the key still found?',
  async run(options) {
    const cluster = await startCluster(options);
    const keys = Array.from({ length: KEYS }, (_, index) => `eroding-${index}`);
    const [first = ''] = keys;
    // Far from the key: it would answer for itself.
    const provider = nearest(cluster, first, cluster.nodes.length).at(-1);
    if (provider === undefined) throw new RangeError('Too few nodes');
    cluster.provide(provider, keys);
    await cluster.time.pass(PLACED_MS);
    kill(cluster, first, provider.name);
    await cluster.time.pass(SETTLE_MS);
    const early = await cluster.lookups(pairs(cluster, options.lookups, { keys: [first] }));
    for (let round = 1; round < ROUNDS; round++) {
      await cluster.time.pass(REPLACED_MS);
      kill(cluster, first, provider.name);
    }
    await cluster.time.pass(SETTLE_MS);
    const late = await cluster.lookups(pairs(cluster, options.lookups, { keys: [first] }));
    return {
      cluster,
      goals: [
        goal('share found when the closest five are gone', successOf(early), { min: 1 }),
        goal('share found when the closest twenty are gone', successOf(late), { min: 1 }),
      ],
      figures: { earlySuccess: successOf(early), lateSuccess: successOf(late) },
    };
  },
};

function kill(cluster: SimCluster, key: string, except: string): void {
  const keepers = nearest(cluster, key, EARLY_REPLICAS + 1).filter(({ name }) => name !== except);
  for (const node of keepers.slice(0, EARLY_REPLICAS)) cluster.end(node, 'crash');
}
