import type { Clock } from '../runtime/clock.ts';
import type { LookupOptions, Peer, Router } from './router.ts';

/** The network that memory routers share, with its faults. */
export interface MemoryNetwork {
  readonly clock: Clock;
  /** Ms that a lookup or an announcement takes to reach another node. May be changed at any time. */
  latencyMs: number;
  /** Nodes by ID, in the order in which they joined. */
  readonly nodes: Map<string, MemoryNode>;
}

/** One node as the network sees it. */
export interface MemoryNode {
  readonly peer: Peer;
  readonly keys: Set<string>;
  /** False: the others do not reach it, and it does not reach them. */
  online: boolean;
}

/** Makes a network without nodes. */
export function createMemoryNetwork({
  clock,
  latencyMs = 0,
}: {
  clock: Clock;
  latencyMs?: number;
}): MemoryNetwork {
  return { clock, latencyMs, nodes: new Map() };
}

/** A router within one process: each node's keys lie open in the network. For tests and the simulation. */
export function createMemoryRouter(network: MemoryNetwork, peer: Peer): Router {
  const node: MemoryNode = { peer, keys: new Set(), online: true };
  network.nodes.set(peer.id, node);
  const others = () => [...network.nodes.values()].filter((other) => other !== node);

  const providers = async function* (key: string, { signal, limit }: LookupOptions) {
    let found = 0;
    try {
      if (network.latencyMs > 0) await network.clock.sleep(network.latencyMs, signal);
    } catch {
      // The signal ends the lookup without an error.
    }
    for (const other of others()) {
      if (signal.aborted || found >= limit || !node.online) return;
      if (!other.online || !other.keys.has(key)) continue;
      found++;
      yield other.peer;
    }
  };
  return {
    ready: () => true,
    lookup: providers,
    isUnsettled: () => false,
    async advertise(keys, { signal } = {}) {
      signal?.throwIfAborted();
      if (network.latencyMs > 0) await network.clock.sleep(network.latencyMs, signal);
      for (const key of keys) node.keys.add(key);
    },
    async withdraw(keys) {
      for (const key of keys) node.keys.delete(key);
    },
    async peers() {
      return others().map((other) => ({
        id: other.peer.id,
        addresses: other.peer.addresses,
        multiaddrs: [],
        connected: node.online && other.online,
        state: node.online && other.online ? ('connected' as const) : ('dead' as const),
        isMember: true,
      }));
    },
    self: () => ({ id: peer.id, multiaddrs: [] }),
  };
}
