import { keyspacePosition } from '../wire/content-key.ts';
import { encodePeer } from '../wire/dht-message.ts';
import { isCloserTo } from '../wire/keyspace-distance.ts';
import { MAX_KNOWN_PEERS } from '../limits.ts';

/** A peer that takes part in the DHT, as this node knows it. */
export interface KnownPeer {
  /** Its ID in hex: how peers are named within this room. */
  readonly name: string;
  /** Its ID: the multihash of its public key. */
  readonly id: Uint8Array;
  /** Its position in the keyspace. */
  readonly position: Uint8Array;
  /** Its multiaddrs in binary that others can use. */
  readonly addresses: readonly Uint8Array[];
  /** Its ID and addresses as they stand in every message. */
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
  /**
   * Up to `count` peers that the test says yes to, the closest to the position first. The test must not ask the table.
   */
  closest(position: Uint8Array, count: number, isWanted?: (peer: KnownPeer) => boolean): readonly KnownPeer[];
  /**
   * True if the peer is known and among the `count` closest: less work than closest() where few peers are asked about.
   */
  isAmongClosest(name: string, position: Uint8Array, count: number): boolean;
}

interface Entry extends KnownPeer {
  /** Where it stands in the list. */
  at: number;
  addresses: readonly Uint8Array[];
  encoded: Uint8Array;
  isConnected: boolean;
}

/** The sign of 32 bits. */
const SIGN = 1 << 31;

/**
 * Makes an empty table. It holds all nodes of a cluster, not k of each distance: then the peers closest to any key are
 * known without asking. They are found by looking at all peers: a thousand take some forty microseconds.
 */
export function createPeerTable(
  self: Uint8Array,
  { maxPeers = MAX_KNOWN_PEERS }: { readonly maxPeers?: number } = {},
): PeerTable {
  const selfName = self.toHex();
  const entries = new Map<string, Entry>();
  /** The same entries in any order, without gaps. */
  const list: Entry[] = [];
  /**
   * The first 32 bits of each peer's position: enough to tell two peers of a cluster apart, but for one pair in a
   * million. Most of what is asked of the table is a look at these. Signed, because unsigned numbers are not integers
   * to the engine.
   */
  let prefixes = new Int32Array(64);
  let connectedCount = 0;
  /**
   * How far the closest peers are, and where they stand in the list. Kept, because it is asked for each key of a node.
   */
  let [distances, places] = [new Int32Array(0), new Int32Array(0)];
  /** XORed with a prefix it is the distance with the sign changed, so that the distance 0 is the least number. */
  const targetOf = (position: Uint8Array) => prefixOf(position) ^ SIGN;
  /** True if the peer is closer to the position than the peer that was found as the nth closest. */
  const isBefore = (entry: Entry, distance: number, nth: number, position: Uint8Array) => {
    const other = distances[nth] ?? 0;
    if (distance !== other) return distance < other;
    const same = list[places[nth] ?? 0];
    return same !== undefined && isCloserTo(position, entry.position, same.position);
  };

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
        // A connection is worth more than a name that another peer has told.
        if (entries.size >= maxPeers && isConnected !== true) return false;
        const position = keyspacePosition(id);
        entry = {
          name,
          id: Uint8Array.from(id),
          position,
          at: list.length,
          addresses: [],
          encoded: encodePeer(id, []),
          isConnected: false,
        };
        entries.set(name, entry);
        list.push(entry);
        if (list.length > prefixes.length) {
          const larger = new Int32Array(2 * prefixes.length);
          larger.set(prefixes);
          prefixes = larger;
        }
        prefixes[entry.at] = prefixOf(position);
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
      // The last entry takes its place.
      const last = list.pop();
      if (last === undefined || last === entry) return;
      list[entry.at] = last;
      prefixes[entry.at] = prefixes[last.at] ?? 0;
      last.at = entry.at;
    },
    closest(position, count, isWanted = () => true) {
      if (count < 1) return [];
      const target = targetOf(position);
      const { length } = list;
      const most = Math.min(count, length);
      if (distances.length <= most) {
        [distances, places] = [new Int32Array(most + 1), new Int32Array(most + 1)];
      }
      let found = 0;
      /** No peer that is farther away is among the closest. */
      let farthest = ~SIGN;
      for (let at = 0; at < length; at++) {
        const distance = (prefixes[at] ?? 0) ^ target;
        if (distance > farthest) continue;
        const entry = list[at];
        if (entry === undefined) continue;
        let [low, high] = [0, found];
        while (low < high) {
          const middle = (low + high) >>> 1;
          if (isBefore(entry, distance, middle, position)) high = middle;
          else low = middle + 1;
        }
        if (low === most || !isWanted(entry)) continue;
        // There is one place more than is asked for.
        distances.copyWithin(low + 1, low, found);
        places.copyWithin(low + 1, low, found);
        distances[low] = distance;
        places[low] = at;
        if (found < most) found++;
        if (found === most) farthest = distances[most - 1] ?? 0;
      }
      const peers: Entry[] = [];
      for (let nth = 0; nth < found; nth++) {
        const entry = list[places[nth] ?? 0];
        if (entry !== undefined) peers.push(entry);
      }
      return peers;
    },
    isAmongClosest(name, position, count) {
      const entry = entries.get(name);
      if (entry === undefined) return false;
      const target = targetOf(position);
      const own = (prefixes[entry.at] ?? 0) ^ target;
      let closer = 0;
      // Most peers are among the closest of few keys: `count` closer peers are soon found.
      for (let at = 0; at < list.length && closer < count; at++) {
        const distance = (prefixes[at] ?? 0) ^ target;
        if (distance > own) continue;
        const other = list[at];
        if (distance < own || (other !== undefined && isCloserTo(position, other.position, entry.position))) {
          closer++;
        }
      }
      return closer < count;
    },
  };
}

function prefixOf(position: Uint8Array): number {
  const [a = 0, b = 0, c = 0, d = 0] = position;
  return (a << 24) | (b << 16) | (c << 8) | d;
}
