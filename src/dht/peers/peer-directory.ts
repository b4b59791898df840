import { encodePeer, type NamedPeer } from '../wire/dht-message.ts';
import { MAX_ADDRESSES_PER_PEER, MAX_IPS_PER_PEER } from '../limits.ts';
import type { Liveness } from './liveness.ts';
import { parsePeerAddress } from '../wire/peer-address.ts';
import type { PeerTable } from './peer-table.ts';

/** Peers that are not connected and whose own word of where they are is kept: it has up to 16 addresses, of which the table has 4. */
const MAX_ABSENT_CLAIMS = 1000;

/** Who may be a peer of the DHT. */
export interface PeerGate {
  /** True if the peer, which is connected, belongs to the cluster. */
  isMember(id: Uint8Array): boolean;
  /** True if a connected peer that is no member yet may leave records: they count when it is one. */
  mayRecord(id: Uint8Array): boolean;
  /**
   * What the peer has in common with all others of its address, in any spelling; undefined if it is not connected. Peers of
   * one origin share what an address may have here.
   */
  originOf?(id: Uint8Array): string | undefined;
  /** True if others may be sent to the address (4 or 16 bytes). */
  isUsable(ip: Uint8Array): boolean;
}

/** What createPeerDirectory needs. */
export interface PeerDirectoryDeps {
  readonly peers: PeerTable;
  readonly liveness: Pick<Liveness, 'connected' | 'lost' | 'parted'>;
  readonly gate: PeerGate;
  /** Called for each peer that connects, also when it comes back; `wasKnown`: it was in the table before. */
  readonly onJoined: (name: string, wasKnown: boolean) => void;
}

/** A peer that others can be told of. */
export interface DescribedPeer extends NamedPeer {
  /** The peer as it stands in every message. */
  readonly encoded: Uint8Array;
}

/** Keeps the table of peers in step with who is connected and speaks the DHT's protocol. */
export interface PeerDirectory {
  /** A peer that speaks the protocol is connected, and says that it has the addresses; also when it says so anew. */
  connected(id: Uint8Array, addresses: readonly Uint8Array[]): void;
  /**
   * Another peer says that this one is there: it is in the table until that turns out to be wrong. False when it has no
   * address that a member can have.
   */
  named(id: Uint8Array, addresses: readonly Uint8Array[]): boolean;
  /** The last connection to the peer has ended; `isAgreed`: one of the two has said that it needs the room, the peer is still there. */
  disconnected(id: Uint8Array, isAgreed?: boolean): void;
  /**
   * Takes note of the addresses that a connected peer gives of itself. True if one of them makes sense; whether others
   * may be sent there is decided when they are.
   */
  introduce(id: Uint8Array, addresses: readonly Uint8Array[]): boolean;
  /**
   * The peer with the addresses at which others may be sent to it; undefined if there are none, or it is no member.
   * One that provides content need not be in the table: it may not answer questions itself.
   */
  describe(name: string): DescribedPeer | undefined;
  /**
   * Asks the gate again, about everybody. Returns those who are not connected and have no address any more that a
   * member can have: they would not be taken in by that name.
   */
  reconsider(): readonly string[];
  /** Forgets the peer, until it connects again. */
  forget(name: string): void;
}

const NOTHING = new Uint8Array(0);

/** Makes the directory of a node that is connected to nobody yet. */
export function createPeerDirectory({ peers, liveness, gate, onJoined }: PeerDirectoryDeps): PeerDirectory {
  /** Peers that are connected and speak the protocol, members or not: name -> ID. */
  const present = new Map<string, Uint8Array>();
  /** What peers say of themselves; who said something new last comes last. */
  const claimed = new Map<string, readonly Uint8Array[]>();

  const usable = (addresses: readonly Uint8Array[]) => {
    const byIp = new Map<string, Uint8Array>();
    for (const bytes of addresses) {
      const address = parsePeerAddress(bytes);
      if (address === undefined || !gate.isUsable(address.ip)) continue;
      const ip = address.ip.toHex();
      if (!byIp.has(ip)) byIp.set(ip, bytes);
    }
    return [...byIp.values()].slice(0, MAX_IPS_PER_PEER);
  };
  const claim = (name: string, addresses: readonly Uint8Array[]) => {
    claimed.delete(name);
    claimed.set(
      name,
      addresses.slice(0, MAX_ADDRESSES_PER_PEER).map((bytes) => Uint8Array.from(bytes)),
    );
    if (claimed.size <= present.size + MAX_ABSENT_CLAIMS) return;
    for (const each of claimed.keys()) {
      if (present.has(each)) continue;
      claimed.delete(each);
      return;
    }
  };
  const admit = (name: string, id: Uint8Array) => {
    if (!gate.isMember(id)) {
      peers.remove(name);
      return;
    }
    const before = peers.get(name);
    const [wasKnown, wasConnected] = [before !== undefined, before?.isConnected === true];
    const addresses = usable(claimed.get(name) ?? []);
    if (peers.put(id, { addresses, isConnected: true }) && !wasConnected) onJoined(name, wasKnown);
  };

  return {
    connected(id, addresses) {
      const name = id.toHex();
      present.set(name, id);
      liveness.connected(name);
      claim(name, addresses);
      admit(name, id);
    },
    named(id, addresses) {
      const name = id.toHex();
      const ours = usable(addresses);
      if (ours.length === 0 || present.has(name) || peers.get(name) !== undefined) return false;
      return peers.put(id, { addresses: ours });
    },
    disconnected(id, isAgreed = false) {
      const name = id.toHex();
      if (!present.delete(name)) return;
      const isMember = peers.get(name) !== undefined;
      if (isAgreed) liveness.parted(name);
      else liveness.lost(name, isMember);
      if (isMember) peers.put(id, { isConnected: false });
    },
    introduce(id, addresses) {
      if (!addresses.some((bytes) => parsePeerAddress(bytes) !== undefined)) return false;
      const name = id.toHex();
      // With each of its records a peer says where it is, and mostly what is known.
      if (peers.get(name)?.isConnected === true && areSame(claimed.get(name), addresses)) return true;
      claim(name, addresses);
      if (present.has(name)) admit(name, id);
      return true;
    },
    describe(name) {
      const known = peers.get(name);
      if (known !== undefined) return known.addresses.length === 0 ? undefined : known;
      const id = Uint8Array.fromHex(name);
      const addresses = gate.isMember(id) ? usable(claimed.get(name) ?? []) : [];
      return addresses.length === 0 ? undefined : { id, addresses, encoded: encodePeer(id, addresses) };
    },
    reconsider() {
      for (const [name, id] of present) admit(name, id);
      const homeless: string[] = [];
      for (const { name, id, addresses } of peers.all()) {
        if (present.has(name)) continue;
        const left = usable(claimed.get(name) ?? addresses);
        peers.put(id, { addresses: left });
        if (left.length === 0) homeless.push(name);
      }
      return homeless;
    },
    forget(name) {
      peers.remove(name);
    },
  };
}

function areSame(known: readonly Uint8Array[] | undefined, addresses: readonly Uint8Array[]): boolean {
  if (known?.length !== addresses.length) return false;
  return known.every((bytes, index) => Buffer.compare(bytes, addresses[index] ?? NOTHING) === 0);
}
