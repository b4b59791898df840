import type { Clock } from '../../runtime/clock.ts';
import { MAX_ADDRESSES_PER_PEER, MAX_IPS_PER_PEER, MAX_KNOWN_PEERS } from '../limits.ts';
import { encodePeer } from '../wire/dht-message.ts';
import { parsePeerAddress } from '../wire/peer-address.ts';
import type { PeerBook, PeerGate, PeerListener } from './peer-book-contract.ts';
import { createPeerEntries, type PeerEntry } from './peer-entries.ts';
import { NO_CAPABILITIES } from './peer-record.ts';
import { lifeIn, type PeerEffect, type PeerEvent, transition } from './peer-states.ts';
import type { PeerTable } from './peer-table.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
/** How long a dead peer is remembered as dead: until its records have faded everywhere. */
export const DEAD_FOR_MS = 19 * MINUTE_MS;
/** For so long after a loss all nodes are busy with it: they notice, ask anew, and dial the peer that was lost. */
export const UNSETTLED_MS = 4 * SECOND_MS;
/** When a connection has ended at the latest, after one end has said that it will; long on any machine. */
export const PARTING_MS = 10 * SECOND_MS;
/** A peer that comes back so soon after it parted has not been started anew. */
export const JUST_PARTED_MS = 5 * SECOND_MS;
/** What createPeerBook needs. */
export interface PeerBookDeps {
  readonly peers: PeerTable;
  readonly gate: PeerGate;
  readonly clock: Pick<Clock, 'nowMs'>;
}

const NOTHING = new Uint8Array(0);

/**
 * Makes the book of a node that is connected to no peer yet. A dead peer is forgotten when its records have faded
 * everywhere: it may have come back where this node does not see it.
 */
export function createPeerBook(
  { peers, gate, clock }: PeerBookDeps,
  { maxPeers = MAX_KNOWN_PEERS }: { readonly maxPeers?: number } = {},
): PeerBook {
  const entries = createPeerEntries({ peers, nowMs: () => clock.nowMs() }, maxPeers);
  const listeners: PeerListener[] = [];
  let lastLossMs = -Infinity;

  const isListed = (name: string) => peers.get(name) !== undefined;
  const stateOf = (entry: PeerEntry | undefined) => {
    if (entry === undefined) return 'unknown';
    const isOver = !entry.isPresent && clock.nowMs() - entry.heardMs > DEAD_FOR_MS;
    return isOver ? 'unknown' : entry.state;
  };
  /** For what is told of a peer with its record alone. */
  const tell = (news: PeerEffect | 'named' | 'parting' | 'closed', entry: PeerEntry) => {
    for (const listener of listeners) listener[news]?.(entry);
  };
  const unlist = (entry: PeerEntry) => {
    if (!isListed(entry.name)) return;
    peers.remove(entry.name);
    tell('unlisted', entry);
  };
  const step = (entry: PeerEntry, event: PeerEvent) => {
    const state = stateOf(entry);
    const { to, effects } = transition(state, event);
    const nowMs = clock.nowMs();
    if (to !== entry.state || to !== state) entry.sinceMs = nowMs;
    entry.state = to;
    entry.heardMs = nowMs;
    // That a peer which is not a member is gone is not a loss, nor a reason to ask others.
    const counts = isListed(entry.name);
    for (const effect of effects) {
      if (effect === 'unlisted') unlist(entry);
      else if (effect !== 'lost' && effect !== 'searched') tell(effect, entry);
      else if (counts) {
        if (effect === 'lost') lastLossMs = nowMs;
        tell(effect, entry);
      }
    }
  };

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
  const claim = (entry: PeerEntry, addresses: readonly Uint8Array[]) => {
    // Copies: what a message is parsed into are views that would keep all of it.
    entries.setClaim(
      entry,
      addresses.slice(0, MAX_ADDRESSES_PER_PEER).map((bytes) => Uint8Array.from(bytes)),
    );
  };
  /** Puts a peer that is connected into the table if it is a member, else out of it. True if it joined. */
  const admit = (entry: PeerEntry): boolean => {
    if (!gate.isMember(entry.id)) {
      peers.remove(entry.name);
      return false;
    }
    const before = peers.get(entry.name);
    const [wasListed, wasConnected] = [before !== undefined, before?.isConnected === true];
    const addresses = usable(entry.claimed ?? []);
    if (!peers.put(entry.id, { addresses, isConnected: true }) || wasConnected) return false;
    const hasJustParted = clock.nowMs() - entry.partedMs < JUST_PARTED_MS;
    if (clock.nowMs() - entry.partedMs >= PARTING_MS) entry.partedMs = -Infinity;
    for (const listener of listeners) listener.joined?.(entry, { wasListed, hasJustParted });
    tell('returned', entry);
    return true;
  };

  return {
    subscribe: (listener) => void listeners.push(listener),
    get: (name) => entries.get(name),
    connected(id, { addresses, capabilities }) {
      const entry = entries.touch(id);
      step(entry, 'connected');
      entries.setPresent(entry, true);
      entry.capabilities = {
        notices: entry.capabilities.notices || capabilities.notices === true,
        flights: entry.capabilities.flights || capabilities.flights === true,
      };
      entry.usedMs = clock.nowMs();
      entry.leftMs = -Infinity;
      claim(entry, addresses);
      // Also when this node has not seen yet that the peer's last connection has ended.
      if (!admit(entry) && isListed(entry.name)) tell('returned', entry);
    },
    disconnected(id) {
      const entry = entries.get(id.toHex());
      if (entry?.isPresent !== true) return;
      const isAgreed = clock.nowMs() - entry.partedMs < PARTING_MS;
      entries.touch(id, entry.name);
      entries.setPresent(entry, false);
      entry.capabilities = NO_CAPABILITIES;
      if (isListed(entry.name)) peers.put(id, { isConnected: false });
      tell('closed', entry);
      step(entry, isAgreed ? 'parted' : 'disconnected');
    },
    happened(event, { id, name }) {
      const entry = entries.touch(id, name);
      if (event === 'left') entry.leftMs = clock.nowMs();
      step(entry, event);
    },
    parting(id) {
      const entry = entries.touch(id);
      entry.partedMs = clock.nowMs();
      tell('parting', entry);
    },
    placed(id, zone) {
      entries.touch(id).zone = zone;
    },
    called(id, nodeName) {
      entries.touch(id).nodeName = nodeName;
    },
    used(name) {
      const entry = entries.get(name);
      if (entry !== undefined) entry.usedMs = clock.nowMs();
    },
    named(peer) {
      const name = peer.id.toHex();
      if (lifeIn(stateOf(entries.get(name))) === 'dead') {
        for (const listener of listeners) listener.resurfaced?.(peer);
        return false;
      }
      const addresses = usable(peer.addresses);
      if (addresses.length === 0 || entries.get(name)?.isPresent === true || isListed(name)) return false;
      if (!peers.put(peer.id, { addresses })) return false;
      const entry = entries.touch(peer.id, name);
      tell('named', entry);
      return true;
    },
    introduce(id, addresses) {
      if (!addresses.some((bytes) => parsePeerAddress(bytes) !== undefined)) return false;
      const name = id.toHex();
      // A peer gives its addresses with each of its records, and mostly they are known.
      const known = entries.get(name)?.claimed;
      if (peers.get(name)?.isConnected === true && areSame(known, addresses)) return true;
      const entry = entries.touch(id, name);
      claim(entry, addresses);
      if (entry.isPresent) admit(entry);
      return true;
    },
    describe(name) {
      const listed = peers.get(name);
      if (listed !== undefined) return listed.addresses.length === 0 ? undefined : listed;
      const id = Uint8Array.fromHex(name);
      const addresses = gate.isMember(id) ? usable(entries.get(name)?.claimed ?? []) : [];
      return addresses.length === 0 ? undefined : { id, addresses, encoded: encodePeer(id, addresses) };
    },
    reconsider() {
      for (const entry of entries.values()) if (entry.isPresent) admit(entry);
      for (const { name, id, addresses } of peers.all()) {
        const entry = entries.get(name) ?? entries.touch(id, name);
        if (entry.isPresent) continue;
        const left = usable(entry.claimed ?? addresses);
        peers.put(id, { addresses: left });
        if (left.length === 0) unlist(entry);
      }
    },
    lifeOf: (name) => lifeIn(stateOf(entries.get(name))),
    inStateMs(name) {
      const entry = entries.get(name);
      return entry === undefined || lifeIn(stateOf(entry)) === 'unknown'
        ? undefined
        : clock.nowMs() - entry.sinceMs;
    },
    hasLeft: (name, withinMs) => clock.nowMs() - (entries.get(name)?.leftMs ?? -Infinity) < withinMs,
    hasParted(name, withinMs) {
      return clock.nowMs() - (entries.get(name)?.partedMs ?? -Infinity) < withinMs;
    },
    isUnsettled: () => clock.nowMs() - lastLossMs < UNSETTLED_MS,
    counts() {
      const counts = { alive: 0, suspect: 0, dead: 0 };
      for (const entry of entries.values()) {
        const life = lifeIn(stateOf(entry));
        if (life !== 'unknown') counts[life]++;
      }
      return counts;
    },
  };
}

function areSame(known: readonly Uint8Array[] | undefined, addresses: readonly Uint8Array[]): boolean {
  if (known?.length !== addresses.length) return false;
  return known.every((bytes, index) => Buffer.compare(bytes, addresses[index] ?? NOTHING) === 0);
}
