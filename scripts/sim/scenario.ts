import { contentMultihash, keyspacePosition } from '../../src/dht/wire/content-key.ts';
import { isCloserTo } from '../../src/dht/wire/keyspace-distance.ts';
import { quantile } from '../bench/statistics.ts';
import { createSimCluster, type LookupOutcome, type SimCluster } from './sim-cluster.ts';
import type { SimNode } from './sim-node.ts';

/** What a scenario is run with. */
export interface ScenarioOptions {
  readonly nodes: number;
  readonly seed: number;
  /** Connections that a node has at most. */
  readonly maxConnections: number;
  /** Keys that only one node has, for each node; there are as many more that five nodes have. */
  readonly keysPerNode: number;
  /** Lookups per measure. */
  readonly lookups: number;
  /** How long the long ones last, in virtual minutes. */
  readonly minutes: number;
  /** Share of the nodes that go each minute, in the scenario of that name. */
  readonly churnPerMinute: number;
}

/** Something that has to be so. */
export interface Goal {
  readonly name: string;
  readonly isMet: boolean;
  /** What was seen. */
  readonly seen: string;
}

/** Figures of a scenario, by name. The same for the same options. */
export interface ScenarioResult {
  readonly goals: readonly Goal[];
  readonly figures: Readonly<Record<string, number>>;
  /** As it is at the end. */
  readonly cluster: SimCluster;
}

/** What a cluster goes through. */
export interface Scenario {
  readonly name: string;
  /** What it finds out. */
  readonly question: string;
  readonly run: (options: ScenarioOptions) => Promise<ScenarioResult>;
}

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
/** Nodes start within so long, unless a scenario says otherwise. */
const START_SPREAD_MS = 2 * SECOND_MS;
/** After so long a cluster has found together, and records are where they belong. */
const SETTLE_MS = 15 * SECOND_MS;
/** How many nodes have a key that is shared. */
export const HOLDERS = 5;

/** Starts all nodes and lets them find together. */
export async function startCluster(
  { nodes, seed, maxConnections }: ScenarioOptions,
  { spareHosts = 0, spreadMs = START_SPREAD_MS, settleMs = SETTLE_MS } = {},
): Promise<SimCluster> {
  const cluster = createSimCluster({ nodes, seed, maxConnections, spareHosts });
  for (const host of cluster.network.hosts.slice(0, nodes)) {
    cluster.time.after(cluster.random.next() * spreadMs, () => cluster.start({ host }));
  }
  await cluster.time.pass(spreadMs + settleMs);
  return cluster;
}

/** Gives every node keys of its own, and as many that five nodes have; lets the records get to their places. */
export async function provideAll(cluster: SimCluster, { keysPerNode }: ScenarioOptions): Promise<void> {
  for (const [index, node] of [...cluster.nodes].entries()) {
    cluster.provide(
      node,
      Array.from({ length: keysPerNode }, (_, key) => `own-${index}-${key}`),
    );
    for (let key = 0; key < keysPerNode; key++) {
      for (const holder of cluster.random.sample(cluster.nodes, HOLDERS)) {
        cluster.provide(holder, [`shared-${index}-${key}`]);
      }
    }
  }
  await cluster.time.pass(SETTLE_MS);
}

/** Pairs of a node and a key that others have, at random. */
export function pairs(
  cluster: SimCluster,
  count: number,
  {
    keys = cluster.heldKeys(),
    askers = cluster.nodes,
  }: { keys?: readonly string[]; askers?: readonly SimNode[] } = {},
): (readonly [SimNode, string])[] {
  return Array.from({ length: count }, () => {
    const key = cluster.random.pick(keys);
    const holders = new Set(cluster.holdersOf(key));
    const others = askers.filter((node) => !holders.has(node));
    return [cluster.random.pick(others.length > 0 ? others : askers), key] as const;
  });
}

/** The running nodes whose IDs are closest to the key, the closest first. */
export function nearest(cluster: SimCluster, key: string, count: number): readonly SimNode[] {
  const position = keyspacePosition(contentMultihash(key));
  return cluster.nodes
    .map((node) => ({ node, place: keyspacePosition(node.id) }))
    .sort((a, b) => (isCloserTo(position, a.place, b.place) ? -1 : 1))
    .slice(0, count)
    .map(({ node }) => node);
}

/** Share of the lookups that found a provider which is there; 1 for none. */
export function successOf(outcomes: readonly LookupOutcome[]): number {
  if (outcomes.length === 0) return 1;
  return outcomes.filter(({ foundMs }) => foundMs !== undefined).length / outcomes.length;
}

/** Figures of lookups, with a prefix to their names. */
export function lookupFigures(prefix: string, outcomes: readonly LookupOutcome[]): Record<string, number> {
  const found = outcomes.flatMap(({ foundMs }) => foundMs ?? []);
  if (found.length === 0) return { [`${prefix}Success`]: successOf(outcomes) };
  return {
    [`${prefix}Success`]: successOf(outcomes),
    [`${prefix}P50Ms`]: quantile(found, 0.5),
    [`${prefix}P99Ms`]: quantile(found, 0.99),
    [`${prefix}Within20Ms`]: found.filter((ms) => ms <= 20).length / outcomes.length,
    [`${prefix}Hops`]: mean(outcomes.map(({ hops }) => hops)),
  };
}

/** What the nodes send while so much time passes, per node and minute. */
export async function measureTraffic(cluster: SimCluster, ms: number): Promise<Record<string, number>> {
  const before = structuredClone(cluster.network.traffic);
  const dialsBefore = cluster.network.dials.tried;
  const streamsBefore = sum(cluster.nodes.map(({ streamsOpened }) => streamsOpened));
  await cluster.time.pass(ms);
  const share = cluster.nodes.length * (ms / MINUTE_MS);
  const figures: Record<string, number> = {};
  let messages = 0;
  let bytes = 0;
  for (const kind of ['ping', 'lookup', 'crawl', 'records', 'notice'] as const) {
    const now = cluster.network.traffic[kind];
    figures[`${kind}Messages`] = (now.messages - before[kind].messages) / share;
    messages += now.messages - before[kind].messages;
    bytes += now.bytes - before[kind].bytes;
  }
  return {
    idleMessages: messages / share,
    idleBytes: bytes / share,
    ...figures,
    idleDials: (cluster.network.dials.tried - dialsBefore) / share,
    idleStreams: (sum(cluster.nodes.map(({ streamsOpened }) => streamsOpened)) - streamsBefore) / share,
  };
}

/** Figures of the nodes at this moment. */
export function nodeFigures(cluster: SimCluster): Record<string, number> {
  const stats = cluster.nodes.map(({ dht }) => dht.stats());
  return {
    connections: mean(cluster.nodes.map(({ connections }) => connections)),
    connectionsMax: Math.max(...cluster.nodes.map(({ connections }) => connections)),
    records: mean(stats.map(({ records }) => records)),
    recordsMax: Math.max(...stats.map(({ records }) => records)),
  };
}

/** Those who were handed out though they were gone: how many, and how long after they went. */
export function deadFigures(outcomes: readonly LookupOutcome[]): {
  readonly connectedMs: number;
  readonly strangerMs: number;
  readonly count: number;
} {
  const dead = outcomes.flatMap((outcome) => outcome.dead);
  const latest = (wasConnected: boolean) =>
    Math.max(
      0,
      ...dead.filter((each) => each.wasConnected === wasConnected).map(({ goneForMs }) => goneForMs),
    );
  return { connectedMs: latest(true), strangerMs: latest(false), count: dead.length };
}

/** A goal that a number is at least, or at most, another one. */
export function goal(name: string, seen: number | undefined, bound: { min?: number; max?: number }): Goal {
  const isMet = seen !== undefined && seen >= (bound.min ?? -Infinity) && seen <= (bound.max ?? Infinity);
  return { name, isMet, seen: seen === undefined ? 'never' : String(Number(seen.toFixed(4))) };
}

/** The mean; 0 of nothing. */
function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : sum(values) / values.length;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
