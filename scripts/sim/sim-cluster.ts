import { contentMultihash } from '../../src/dht/wire/content-key.ts';
import { createRandom, type Random } from './random.ts';
import { createSimNetwork, type Host, type SimNetwork } from './sim-network.ts';
import { type SimNode, startSimNode } from './sim-node.ts';
import { createVirtualTime, type VirtualTime } from './virtual-time.ts';

/** What a cluster is made of. */
export interface SimClusterOptions {
  readonly seed: number;
  /** Nodes at the start. */
  readonly nodes: number;
  /** Machines beyond those, for nodes that come later. Default none. */
  readonly spareHosts?: number;
  /** Connections that a node has at most. Default 1,000, as in production. */
  readonly maxConnections?: number;
  /** Default 3. */
  readonly zones?: number;
  /** Default 0.0005: a message in 2,000. */
  readonly loss?: number;
}

/** How a lookup went. */
export interface LookupOutcome {
  /** Time until the first provider that is there, if one came. */
  readonly foundMs: number | undefined;
  /** Time until the lookup had ended or was not needed any more. */
  readonly endedMs: number;
  /** Rounds of questions until then: 0 when the node knew by itself. */
  readonly hops: number;
  readonly providers: readonly string[];
  /** Providers that are gone, and that were handed out all the same. */
  readonly dead: readonly { readonly goneForMs: number; readonly wasConnected: boolean }[];
}

/** Nodes, what they have, and who may be asked about the truth. */
export interface SimCluster {
  readonly time: VirtualTime;
  readonly network: SimNetwork;
  readonly random: Random;
  /** Those that run. */
  readonly nodes: readonly SimNode[];
  /** Time and questions of each walk through the network. */
  readonly walks: { readonly durationMs: number; readonly asked: number }[];
  /** Starts a node on the host, or on any that is free; with the ID of an earlier one, if that is given. */
  start(options?: { readonly host?: Host; readonly id?: Uint8Array }): SimNode;
  /** Ends a node. The host of one that loses it is gone for good. */
  end(node: SimNode, how: 'crash' | 'host' | 'goodbye'): void;
  provide(node: SimNode, keys: readonly string[]): void;
  withdraw(node: SimNode, keys: readonly string[]): void;
  /** Who has the key and is there. */
  holdersOf(key: string): readonly SimNode[];
  /** Keys that somebody has who is there. */
  heldKeys(): readonly string[];
  /** What the node has. */
  keysOf(node: SimNode): readonly string[];
  /** Looks up until a provider that is there is found, or all if that is wanted; gives up after 1 s. */
  lookup(node: SimNode, key: string, options?: { readonly all?: boolean }): Promise<LookupOutcome>;
  /** Runs the lookups, each from a node and for a key, at most so many ms apart, and lets the time pass. */
  lookups(
    pairs: readonly (readonly [SimNode, string])[],
    options?: { readonly all?: boolean; readonly gapMs?: number },
  ): Promise<readonly LookupOutcome[]>;
  /** Waits in virtual time until the condition holds, up to the limit; how long it took, or undefined. */
  until(condition: () => boolean, limitMs: number): Promise<number | undefined>;
}

/** Nobody waits longer for a lookup. */
const LOOKUP_DEADLINE_MS = 1000;
/** As many as nobody needs. */
const ALL_PROVIDERS = 1000;
/** How long DNS names a node that is gone. */
const DNS_LAG_MS = 60_000;
const DEFAULT_MAX_CONNECTIONS = 1000;
const DEFAULT_LOSS = 0.0005;
const DEFAULT_ZONES = 3;
const POLL_MS = 50;

/** Makes the machines of a cluster; nodes are started by start(). */
export function createSimCluster({
  seed,
  nodes: count,
  spareHosts = 0,
  maxConnections = DEFAULT_MAX_CONNECTIONS,
  zones = DEFAULT_ZONES,
  loss = DEFAULT_LOSS,
}: SimClusterOptions): SimCluster {
  const time = createVirtualTime();
  const random = createRandom(seed);
  const network = createSimNetwork(
    { time, random: random.fork(1) },
    { hosts: count + spareHosts, zones, loss, seed },
  );
  const nodes: SimNode[] = [];
  const gone = new Map<string, SimNode>();
  const lastSeenMs = new Map<Host, number>();
  const held = new Map<string, Set<SimNode>>();
  const keysByNode = new Map<SimNode, Set<string>>();
  const walks: { durationMs: number; asked: number }[] = [];
  let started = 0;

  const named = () =>
    network.hosts
      .filter(
        (host) =>
          host.process !== undefined || time.nowMs() - (lastSeenMs.get(host) ?? -Infinity) < DNS_LAG_MS,
      )
      .map(({ ip }) => ip);
  const isRunning = (name: string) => network.hosts.some(({ process }) => process?.name === name);

  const cluster: SimCluster = {
    time,
    network,
    random,
    nodes,
    walks,
    start({ host, id } = {}) {
      const free = host ?? network.hosts.find(({ process, isUp }) => process === undefined && isUp);
      if (free === undefined) throw new RangeError('No machine is free');
      const node = startSimNode(
        {
          time,
          network,
          random: random.fork(1000 + started++),
          bootstrap: named,
          onWalk: (walk) => walks.push(walk),
        },
        { host: free, id, maxConnections },
      );
      nodes.push(node);
      gone.delete(node.name);
      return node;
    },
    end(node, how) {
      nodes.splice(nodes.indexOf(node), 1);
      gone.set(node.name, node);
      lastSeenMs.set(node.host, time.nowMs());
      for (const key of keysByNode.get(node) ?? []) held.get(key)?.delete(node);
      keysByNode.delete(node);
      if (how === 'crash') node.crash();
      else if (how === 'host') node.loseHost();
      else void node.stop();
    },
    provide(node, keys) {
      const own = keysByNode.get(node) ?? new Set();
      keysByNode.set(node, own);
      for (const key of keys) {
        own.add(key);
        const holders = held.get(key) ?? new Set();
        held.set(key, holders.add(node));
      }
      node.dht.provide(keys).catch(() => {});
    },
    withdraw(node, keys) {
      for (const key of keys) {
        keysByNode.get(node)?.delete(key);
        held.get(key)?.delete(node);
      }
      node.dht.withdraw(keys);
    },
    holdersOf: (key) => [...(held.get(key) ?? [])],
    heldKeys: () => [...held].flatMap(([key, holders]) => (holders.size > 0 ? [key] : [])),
    keysOf: (node) => [...(keysByNode.get(node) ?? [])],
    async lookup(node, key, { all = false } = {}) {
      const startedMs = time.nowMs();
      const deadline = new AbortController();
      const cancel = time.after(LOOKUP_DEADLINE_MS, () => deadline.abort());
      const multihash = contentMultihash(key);
      node.hopsOf(multihash);
      const providers: string[] = [];
      const dead: { goneForMs: number; wasConnected: boolean }[] = [];
      let foundMs: number | undefined;
      for await (const { id } of node.dht.lookup(key, { signal: deadline.signal, limit: ALL_PROVIDERS })) {
        providers.push(id);
        const lost = isRunning(id) ? undefined : gone.get(id);
        if (lost?.goneMs !== undefined) {
          dead.push({ goneForMs: time.nowMs() - lost.goneMs, wasConnected: lost.mourners.has(node.name) });
        } else if (
          held
            .get(key)
            ?.values()
            .some(({ name }) => name === id) === true
        ) {
          foundMs ??= time.nowMs() - startedMs;
          if (!all) break;
        }
      }
      cancel();
      const hops = node.hopsOf(multihash) ?? 0;
      return { foundMs, endedMs: time.nowMs() - startedMs, hops, providers, dead };
    },
    async lookups(pairs, { all = false, gapMs = 5 } = {}) {
      const outcomes: Promise<LookupOutcome>[] = [];
      for (const [node, key] of pairs) {
        if (!node.isGone) outcomes.push(cluster.lookup(node, key, { all }));
        await time.pass(gapMs);
      }
      await time.pass(LOOKUP_DEADLINE_MS);
      return Promise.all(outcomes);
    },
    async until(condition, limitMs) {
      const startMs = time.nowMs();
      while (!condition()) {
        if (time.nowMs() - startMs >= limitMs) return undefined;
        await time.pass(POLL_MS);
      }
      return time.nowMs() - startMs;
    },
  };
  return cluster;
}
