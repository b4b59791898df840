import { encodeAddProviders, encodePing } from '../../../src/dht/wire/add-provider-message.ts';
import { contentMultihash } from '../../../src/dht/wire/content-key.ts';
import { encodeMessage, encodePeer, MESSAGE_TYPES, parseMessage } from '../../../src/dht/wire/dht-message.ts';
import { formatPeerAddress } from '../../../src/dht/wire/peer-address.ts';
import { concat } from '../../../src/dht/wire/protocol-buffers.ts';
import { goal, nearest, pairs, type Scenario, startCluster, successOf } from '../scenario.ts';

const SETTLE_MS = 3000;
const LIARS = 2;

/** One node provides for others, and answers what was not asked. */
export const lies: Scenario = {
  name: 'lies',
  question: 'When nodes lie about who provides what, who believes it?',
  async run(options) {
    const cluster = await startCluster(options);
    const [holder, victim, sender] = cluster.random.sample(cluster.nodes, 3);
    if (holder === undefined || victim === undefined || sender === undefined) {
      throw new RangeError('Too few nodes');
    }
    const address = formatPeerAddress({ ip: victim.host.ip, port: 5001 });

    const foreign = 'never-provided';
    const record = encodeAddProviders([contentMultihash(foreign)], encodePeer(victim.id, [address]));
    for (const node of cluster.nodes) {
      if (!sender.isConnectedTo(node.name)) continue;
      sender.askRaw(node.name, concat([record, encodePing()])).catch(() => {});
    }
    await cluster.time.pass(SETTLE_MS);
    const inventions = await cluster.lookups(
      cluster.nodes.map((node) => [node, foreign] as const),
      { all: true },
    );

    const key = 'honest';
    cluster.provide(holder, [key]);
    await cluster.time.pass(SETTLE_MS);
    const liars = nearest(cluster, key, LIARS + 2)
      .filter((node) => node !== holder && node !== victim)
      .slice(0, LIARS);
    for (const [index, liar] of liars.entries()) {
      liar.tamper = (message, answer) => {
        const { type, key: asked } = parseMessage(message, 0);
        if (type !== MESSAGE_TYPES.getProviders) return answer;
        // The one denies everything, the other answers about another key and names who does not provide this one.
        return index === 0
          ? encodeMessage({ type, key: asked })
          : encodeMessage({
              type,
              key: contentMultihash(foreign),
              providers: [encodePeer(victim.id, [address])],
            });
      };
    }
    const askers = cluster.nodes.filter((node) => node !== victim && !liars.includes(node));
    const misled = await cluster.lookups(pairs(cluster, options.lookups, { keys: [key], askers }), {
      all: true,
    });
    return {
      cluster,
      goals: [
        goal(
          'lookups that believe a foreign record',
          inventions.filter(({ providers }) => providers.length > 0).length,
          {
            max: 0,
          },
        ),
        goal('share found in spite of liars', successOf(misled), { min: 1 }),
        goal(
          'lookups that take an answer to another question',
          misled.filter(({ providers }) => providers.includes(victim.name)).length,
          { max: 0 },
        ),
      ],
      figures: { misledSuccess: successOf(misled) },
    };
  },
};
