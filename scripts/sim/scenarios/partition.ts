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

/** Long enough for everybody to give the others up. */
const PARTED_MS = 100_000;
/** Lookups begin when the connections to the other side are known to be dead. */
const NOTICED_MS = 12_000;
const ROUND_MS = 1000;
const MINUTE_MS = 60_000;
const HEALED_LIMIT_MS = 10_000;

/** Half of the cluster cannot reach the other half; then it can again. */
export const partition: Scenario = {
  name: 'partition',
  question:
    'While the network is in two, what does each half find, and when is all found after it has healed?',
  async run(options) {
    const cluster = await startCluster(options);
    await provideAll(cluster, options);
    for (const host of cluster.network.hosts) host.side = host.index % 2;
    await cluster.time.pass(NOTICED_MS);
    const within = pairs(cluster, options.lookups).filter(([node, key]) =>
      cluster.holdersOf(key).some(({ host }) => host.side === node.host.side),
    );
    const parted = await cluster.lookups(within);
    await cluster.time.pass(PARTED_MS);
    const partedLater = await cluster.lookups(within);
    for (const host of cluster.network.hosts) host.side = 0;
    const healedAtMs = cluster.time.nowMs();
    let healedMs: number | undefined;
    while (healedMs === undefined && cluster.time.nowMs() - healedAtMs < MINUTE_MS) {
      const startMs = cluster.time.nowMs() - healedAtMs;
      const round = await cluster.lookups(pairs(cluster, options.lookups), {
        gapMs: ROUND_MS / options.lookups,
      });
      if (successOf(round) === 1) healedMs = startMs;
    }
    await cluster.time.pass(MINUTE_MS);
    const after = await cluster.lookups(pairs(cluster, options.lookups));
    return {
      cluster,
      goals: [
        goal('share found in the same half, soon', successOf(parted), { min: 0.99 }),
        goal('share found in the same half, later', successOf(partedLater), { min: 0.99 }),
        goal('everything found after the network healed, ms', healedMs, { max: HEALED_LIMIT_MS }),
        goal('share found a minute later', successOf(after), { min: 1 }),
      ],
      figures: {
        ...lookupFigures('parted', parted),
        ...lookupFigures('partedLater', partedLater),
        healedMs: healedMs ?? -1,
        ...lookupFigures('after', after),
        deadConnectedMs: deadFigures(partedLater).connectedMs,
        ...nodeFigures(cluster),
      },
    };
  },
};
