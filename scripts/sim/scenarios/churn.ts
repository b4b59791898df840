import type { LookupOutcome, SimCluster } from '../sim-cluster.ts';
import type { SimNode } from '../sim-node.ts';
import {
  deadFigures,
  goal,
  lookupFigures,
  nodeFigures,
  pairs,
  provideAll,
  type Scenario,
  startCluster,
  successOf,
} from '../scenario.ts';

const MINUTE_MS = 60_000;
/** A node that ended is back, or replaced, after so long. */
const BACK_MS = 20_000;
/** A node that has just started needs a moment until its keys are found. */
const STARTING_MS = 5000;
const FORGOTTEN_MS = 10_000;

/** Nodes go and come, in every way. */
export const churn: Scenario = {
  name: 'churn',
  question: 'While nodes crash, are lost with their machine, stop, and come back: what is found?',
  async run(options) {
    const goings = Math.ceil(options.nodes * options.churnPerMinute * options.minutes);
    const cluster = await startCluster(options, { spareHosts: goings });
    await provideAll(cluster, options);
    const startedMs = new Map<SimNode, number>();
    const endMs = cluster.time.nowMs() + options.minutes * MINUTE_MS;
    const gapMs = (options.minutes * MINUTE_MS) / goings;
    const watched: Promise<Watched>[] = [];
    for (let turn = 0; turn < goings; turn++) {
      goAndComeBack(cluster, turn, startedMs);
      const perTurn = Math.ceil(options.lookups / goings);
      await lookUpSettled(cluster, perTurn, gapMs, { startedMs, watched });
    }
    await cluster.time.pass(Math.max(0, endMs - cluster.time.nowMs()));
    await cluster.time.pass(BACK_MS + STARTING_MS);
    const outcomes = (await Promise.all(watched)).filter(({ isVoid }) => !isVoid);
    const dead = deadFigures(outcomes);
    const after = await cluster.lookups(pairs(cluster, options.lookups));
    return {
      cluster,
      goals: [
        goal('share of keys found', successOf(outcomes), { min: 0.99 }),
        goal('connected peers handed out after they went, ms', dead.connectedMs, { max: FORGOTTEN_MS }),
        goal('share of keys found when it is over', successOf(after), { min: 0.999 }),
      ],
      figures: {
        goings,
        ...lookupFigures('present', outcomes),
        deadHandedOut: dead.count / Math.max(1, outcomes.length),
        deadConnectedMs: dead.connectedMs,
        deadStrangerMs: dead.strangerMs,
        afterSuccess: successOf(after),
        ...nodeFigures(cluster),
      },
    };
  },
};

function goAndComeBack(cluster: SimCluster, turn: number, startedMs: Map<SimNode, number>): void {
  const node = cluster.random.pick(cluster.nodes);
  const keys = cluster.keysOf(node);
  const how = (['crash', 'goodbye', 'host', 'goodbye'] as const)[turn % 4] ?? 'crash';
  const { host, id } = node;
  cluster.end(node, how);
  cluster.time.after(BACK_MS, () => {
    // With its identity kept on disk, or with a new one; on another machine if its own is gone.
    const isSame = how === 'crash' || (how === 'goodbye' && turn % 8 === 1);
    const isHostFree = host.isUp && host.process === undefined;
    const back = cluster.start({ ...(isHostFree ? { host } : {}), ...(isSame ? { id } : {}) });
    startedMs.set(back, cluster.time.nowMs());
    // Its containerd still has everything, unless the machine is another one.
    if (how !== 'host') cluster.provide(back, keys);
  });
}

/** Starts lookups spread over the time, of keys that somebody has who did not just start. */
async function lookUpSettled(
  cluster: SimCluster,
  count: number,
  ms: number,
  { startedMs, watched }: { startedMs: ReadonlyMap<SimNode, number>; watched: Promise<Watched>[] },
): Promise<void> {
  const isSettled = (node: SimNode) =>
    cluster.time.nowMs() - (startedMs.get(node) ?? -Infinity) > STARTING_MS;
  for (let lookup = 0; lookup < count; lookup++) {
    const [pair] = pairs(cluster, 1, { askers: cluster.nodes.filter(isSettled) });
    if (pair !== undefined && cluster.holdersOf(pair[1]).some(isSettled)) watched.push(watch(cluster, pair));
    await cluster.time.pass(ms / count);
  }
}

interface Watched extends LookupOutcome {
  /** The asker or all holders went while it ran. */
  readonly isVoid: boolean;
}

async function watch(cluster: SimCluster, [node, key]: readonly [SimNode, string]): Promise<Watched> {
  const ended = Promise.withResolvers<undefined>();
  // A node that is gone never answers, not even itself.
  const cancel = cluster.time.after(1500, () => ended.resolve(undefined));
  const outcome = await Promise.race([cluster.lookup(node, key), ended.promise]);
  cancel();
  const isVoid = outcome === undefined || node.isGone || cluster.holdersOf(key).length === 0;
  return { foundMs: undefined, endedMs: 0, hops: 0, providers: [], dead: [], ...outcome, isVoid };
}
