import { keyspacePosition } from './content-key.ts';
import { encodePeer } from './dht-message.ts';
import { isCloserTo } from './keyspace-distance.ts';
import { MAX_KNOWN_PEERS } from './limits.ts';

/** A peer that takes part in the DHT, as this node knows it. */
export interface KnownPeer {
  /** Its ID in hex: how peers are named within this room. */
  readonly name: string;
  /** Its ID: the multihash of its public key. */
  readonly id: Uint8Array;
  /** Its place in the keyspace. */
  readonly position: Uint8Array;
  /** Its multiaddrs in binary, those that others can use. */
  readonly addresses: readonly Uint8Array[];
  /** The two as they stand in every message. */
  readonly encoded: Uint8Array;
  /** True while there is a connection: the peer was there a moment ago. */
  readonly isConnected: boolean;
}

/** The nodes of the cluster that this node knows. */
export interface PeerTable {
  readonly size: number;
  readonly connectedCount: number;
  get(name: string): KnownPeer | undefined;
  all(): Iterable<KnownPeer>;
  /**
   * Takes the peer in, or what is new of it; what is not given stays as it is. False when it is not known and there
   * is no room for it.
   */
  put(
    id: Uint8Array,
    facts: { readonly addresses?: readonly Uint8Array[]; readonly isConnected?: boolean },
  ): boolean;
  /** Forgets the peer. */
  remove(name: string): void;
  /** Up to `count` peers that the test says yes to, the closest to the place in the keyspace first. */
  closest(position: Uint8Array, count: number, isWanted?: (peer: KnownPeer) => boolean): readonly KnownPeer[];
}

interface Entry extends KnownPeer {
  /** The first 32 bits of the position: enough to tell two peers of a cluster apart, but for one pair in a million. */
  readonly prefix: number;
  addresses: readonly Uint8Array[];
  encoded: Uint8Array;
  isConnected: boolean;
}

/**
 * Makes an empty table. It holds all nodes of a cluster, not k of each distance: then the closest ones to any key are
 * known without asking. They are found by looking at all: a thousand take some ten microseconds.
 */
export function createPeerTable(
  self: Uint8Array,
  { maxPeers = MAX_KNOWN_PEERS }: { readonly maxPeers?: number } = {},
): PeerTable {
  const selfName = self.toHex();
  const entries = new Map<string, Entry>();
  let connectedCount = 0;

  return {
    get size() {
      return entries.size;
    },
    get connectedCount() {
      return connectedCount;
    },
    get: (name) => entries.get(name),
    all: () => entries.values(),
    put(id, { addresses, isConnected }) {
      const name = id.toHex();
      if (name === selfName) return false;
      let entry = entries.get(name);
      if (entry === undefined) {
        // A connection is more than a name that somebody dropped.
        if (entries.size >= maxPeers && isConnected !== true) return false;
        const position = keyspacePosition(id);
        entry = {
          name,
          id: Uint8Array.from(id),
          position,
          prefix: prefixOf(position),
          addresses: [],
          encoded: encodePeer(id, []),
          isConnected: false,
        };
        entries.set(name, entry);
      }
      if (addresses !== undefined) {
        // Copies: what a message is parsed into are views that would keep all of it.
        entry.addresses = addresses.map((address) => Uint8Array.from(address));
        entry.encoded = encodePeer(entry.id, entry.addresses);
      }
      if (isConnected !== undefined && isConnected !== entry.isConnected) {
        entry.isConnected = isConnected;
        connectedCount += isConnected ? 1 : -1;
      }
      return true;
    },
    remove(name) {
      const entry = entries.get(name);
      if (entry === undefined) return;
      entries.delete(name);
      if (entry.isConnected) connectedCount--;
    },
    closest(position, count, isWanted = () => true) {
      if (count < 1) return [];
      const target = prefixOf(position);
      const found: Entry[] = [];
      for (const entry of entries.values()) {
        const last = found.length < count ? undefined : found[count - 1];
        if (last !== undefined && isCloser(last, entry, position, target)) continue;
        if (!isWanted(entry)) continue;
        let place = last === undefined ? found.length : count - 1;
        for (; place > 0; place--) {
          const before = found[place - 1];
          if (before === undefined || isCloser(before, entry, position, target)) break;
          found[place] = before;
        }
        found[place] = entry;
      }
      return found;
    },
  };
}

/** True if a is closer to the position than b, by XOR. Called for each peer and key: it must leave no garbage. */
function isCloser(a: Entry, b: Entry, position: Uint8Array, target: number): boolean {
  const left = (a.prefix ^ target) >>> 0;
  const right = (b.prefix ^ target) >>> 0;
  if (left !== right) return left < right;
  return isCloserTo(position, a.position, b.position);
}

function prefixOf(position: Uint8Array): number {
  const [a = 0, b = 0, c = 0, d = 0] = position;
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}
