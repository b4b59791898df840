import { contentMultihash } from '../../../src/dht/wire/content-key.ts';
import { encodeNotice } from '../../../src/dht/wire/notice-message.ts';
import { goal, nearest, type Scenario, startCluster, successOf } from '../scenario.ts';
import { KEEP_FOUND_MS } from '../../../src/dht/lookup/lookup-cache.ts';

const KEYS = 20;
const SETTLE_MS = 3000;
/** What was found a moment ago is kept for so long, by who found it. */
const FORGOTTEN_LIMIT_MS = KEEP_FOUND_MS + 500;
const ROUND_MS = 250;

/** A node removes what it has; a stranger says that it did. */
export const withdrawing: Scenario = {
  name: 'withdraw',
  question: 'When a node withdraws keys: until when is it handed out? And when somebody else says so?',
  async run(options) {
    const cluster = await startCluster(options);
    const [holder, liar] = cluster.random.sample(cluster.nodes, 2);
    if (holder === undefined || liar === undefined) throw new RangeError('Too few nodes');
    const keys = Array.from({ length: KEYS }, (_, index) => `held-${index}`);
    cluster.provide(holder, keys);
    await cluster.time.pass(SETTLE_MS);
    for (const key of keys) {
      const notice = encodeNotice({ withdrawn: [contentMultihash(key)] });
      for (const node of nearest(cluster, key, cluster.nodes.length)) {
        if (liar.isConnectedTo(node.name)) liar.notifyRaw(node.name, notice).catch(() => {});
      }
    }
    await cluster.time.pass(SETTLE_MS);
    const askers = cluster.nodes.filter((node) => node !== holder);
    const ask = async (count: number, gapMs: number) =>
      cluster.lookups(
        Array.from(
          { length: count },
          () => [cluster.random.pick(askers), cluster.random.pick(keys)] as const,
        ),
        { gapMs, all: true },
      );
    const believed = await ask(options.lookups, 5);
    cluster.withdraw(holder, keys);
    const startMs = cluster.time.nowMs();
    let lastMs = 0;
    while (cluster.time.nowMs() - startMs < 2 * FORGOTTEN_LIMIT_MS) {
      const beganMs = cluster.time.nowMs() - startMs;
      const round = Array.from(
        { length: 40 },
        () => [cluster.random.pick(askers), cluster.random.pick(keys)] as const,
      );
      const outcomes = Promise.all(
        round.map(async ([node, key]) => cluster.lookup(node, key, { all: true })),
      );
      await cluster.time.pass(ROUND_MS + 1000);
      if ((await outcomes).some(({ providers }) => providers.length > 0)) lastMs = beganMs;
    }
    return {
      cluster,
      goals: [
        goal('share found after a stranger has withdrawn', successOf(believed), { min: 1 }),
        goal('withdrawn keys handed out until, ms', lastMs, { max: FORGOTTEN_LIMIT_MS }),
      ],
      figures: { withdrawnUntilMs: lastMs, strangerSuccess: successOf(believed) },
    };
  },
};
