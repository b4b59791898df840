import type { LookupOutcome } from '../sim-cluster.ts';
import {
  deadFigures,
  goal,
  HOLDERS,
  lookupFigures,
  type Scenario,
  startCluster,
  successOf,
} from '../scenario.ts';

/** Keys whose holders are killed. */
const KEYS = 10;
const SETTLE_MS = 5000;
const WATCH_MS = 25_000;
const FORGOTTEN_MS = 10_000;

/** Of five nodes that have a key four die, some with their machines. */
export const holders: Scenario = {
  name: 'holders',
  question:
    'When 4 of 5 holders are killed: does every lookup find the fifth, and how long are the dead handed out?',
  async run(options) {
    const cluster = await startCluster(options);
    // Few nodes hold all of the keys, so that few die.
    const chosen = cluster.random.sample(cluster.nodes, HOLDERS);
    const keys = Array.from({ length: KEYS }, (_, index) => `held-${index}`);
    for (const node of chosen) cluster.provide(node, keys);
    await cluster.time.pass(SETTLE_MS);
    for (const [index, node] of chosen.slice(1).entries()) {
      cluster.end(node, index % 2 === 0 ? 'host' : 'crash');
    }
    const others = cluster.nodes.filter((node) => !chosen.includes(node));
    const outcomes: Promise<readonly LookupOutcome[]>[] = [];
    const rounds = WATCH_MS / 500;
    for (let round = 0; round < rounds; round++) {
      const asked = Array.from(
        { length: Math.ceil(options.lookups / rounds) },
        () => [cluster.random.pick(others), cluster.random.pick(keys)] as const,
      );
      outcomes.push(Promise.all(asked.map(async ([node, key]) => cluster.lookup(node, key, { all: true }))));
      await cluster.time.pass(WATCH_MS / rounds);
    }
    await cluster.time.pass(2000);
    const all = (await Promise.all(outcomes)).flat();
    const dead = deadFigures(all);
    return {
      cluster,
      goals: [
        goal('share of lookups that find the fifth', successOf(all), { min: 1 }),
        goal('connected dead handed out until, ms', dead.connectedMs, { max: FORGOTTEN_MS }),
      ],
      figures: {
        ...lookupFigures('fifth', all),
        deadPerLookup: dead.count / all.length,
        deadConnectedMs: dead.connectedMs,
        deadStrangerMs: dead.strangerMs,
      },
    };
  },
};
