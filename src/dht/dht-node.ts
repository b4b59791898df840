import type { Logger } from '../observe/log.ts';
import type { LookupOptions, Peer } from '../routing/router.ts';
import type { Clock } from '../runtime/clock.ts';
import { abortable } from '../runtime/abortable.ts';
import { lruSet } from '../runtime/lru-set.ts';
import type { Timers } from '../runtime/timers.ts';
import { encodeAddProviders } from './wire/add-provider-message.ts';
import { contentMultihash, keyspacePosition } from './wire/content-key.ts';
import { encodePeer, type NamedPeer } from './wire/dht-message.ts';
import { type CrawlNetwork, createCrawler } from './peers/crawler.ts';
import { createRpcHandler } from './rpc-handler.ts';
import { createFailureDetector } from './peers/failure-detector.ts';
import {
  CONNECTION_TARGET,
  MAX_KNOWN_PEERS,
  MAX_PROVIDER_RECORDS,
  MAX_SUSPECTS_PER_NOTICE,
  MAX_WITHDRAWN_PER_NOTICE,
  QUIET_AFTER_MS,
  REPLICATION,
} from './limits.ts';
import { createLiveness, type PeerLife } from './peers/liveness.ts';
import { encodeNotice, parseNotice } from './wire/notice-message.ts';
import { createDialLimiter } from './peers/dial-limiter.ts';
import { createPeerDirectory, type PeerGate } from './peers/peer-directory.ts';
import { createPeerTable, type KnownPeer } from './peers/peer-table.ts';
import {
  createProviderLookups,
  type LookupNetwork,
  type LookupObserver,
  type Provider,
} from './lookup/provider-lookups.ts';
import { createProviderRecords } from './provide/provider-records.ts';
import { createReprovider, type ReproviderObserver } from './provide/reprovider.ts';
import { createProbeAssignment } from './peers/probe-assignment.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
/**
 * Peers closer to a key that a node of this program is named when it asks for providers. It knows the cluster from its
 * crawls; twenty names, of 80 bytes each, were a quarter of what a question about nothing cost.
 */
export const CLOSER_TO_OUR_NODES = 5;
/** The same for all, in a cluster so large that no node knows whose turn it is: not often, as there are many. */
const PING_ALONE_AFTER_MS = 30 * SECOND_MS;
/** Time to say goodbye when a node stops. */
const GOODBYE_TIMEOUT_MS = 500;
/** How often records that have faded are removed; they are not given out in the meantime. */
const SWEEP_RECORDS_INTERVAL_MS = 2 * MINUTE_MS;
/** In a cluster of so many nodes, as a part of the connections that a node may have, each is connected to all. */
const MESHED_SHARE = 0.9;
/** In a larger one a node dials up to this part of them: with those that are dialled to it it has twice as many, and some room. */
const DIALLED_SHARE = 0.4;
/** For so long a peer that has parted is not looked for: it is there, and is dialled when it is needed. */
const PARTED_MS = 30 * MINUTE_MS;
/** When a connection has ended at the latest, after one end has said that it will; long on any machine. */
const PARTING_MS = 10 * SECOND_MS;
/** Time to tell a peer that its connection will end. */
const TELL_PARTING_MS = SECOND_MS;
/** A peer that comes back so soon after it parted has not been started anew. */
const JUST_PARTED_MS = 5 * SECOND_MS;
/** After a loss a node asks so much later who is there: whoever it was may be back elsewhere by then, and others hear of that first. */
const CRAWL_AFTER_LOSS_MS = 4 * SECOND_MS;

/** How a node of the DHT reaches the others. Peers are named by their ID in hex. */
export interface DhtNetwork extends LookupNetwork, CrawlNetwork {
  /**
   * Sends the peer messages that have no answer, each with its length in front, or none at all, and resolves when it
   * has taken them. Rejects when it does not say so in time.
   */
  deliver(peer: NamedPeer, messages: Uint8Array): Promise<void>;
  /** Sends a notice with its length in front to a peer that understands them; rejects when it cannot be sent. */
  notify(peer: NamedPeer, notice: Uint8Array): Promise<void>;
  /** The peer has been heard: what is known of it not answering is of the past. */
  heard(name: string): void;
  /** Tries to connect to a peer that counts as gone and that somebody names, in the background and not often: it may have come back. */
  probe(peer: NamedPeer): void;
  /** The connection to the peer is about to end, which is not a loss. `isOurs`: this node is to end it. */
  part(name: string, isOurs: boolean): void;
  /** Ends the connections to a peer that has left or does not answer, and leaves it alone until it comes by itself. */
  drop(name: string): void;
}

/** Gets what a node does, for metrics. */
export interface DhtObserver extends LookupObserver, ReproviderObserver {}

/** What createDhtNode needs. */
export interface DhtNodeDeps {
  /** This node's ID: the multihash of its public key. */
  readonly self: Uint8Array;
  /** The multiaddrs in binary at which others reach this node now. */
  readonly addresses: () => readonly Uint8Array[];
  readonly network: DhtNetwork;
  readonly gate: PeerGate;
  /** See ProviderLookupsDeps. */
  readonly toProvider: (peer: NamedPeer) => Provider | undefined;
  /** Called for a member that connects, or answers again: what was held against it is of the past. May repeat itself. */
  readonly onReturned?: (name: string) => void;
  readonly observer?: DhtObserver;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly timers: Timers;
  /** A number from 0 up to, not including, 1. Default Math.random. */
  readonly random?: () => number;
}

/** What a peer that connects tells. */
export interface PeerFacts {
  /** Multiaddrs in binary. */
  readonly addresses: readonly Uint8Array[];
  /** True if it understands notices. */
  readonly takesNotices: boolean;
}

/** Figures of a node at this moment. */
export interface DhtStats {
  readonly records: number;
  /** Content that anybody provides, as far as this node was told. */
  readonly recordedKeys: number;
  readonly refusedRecords: number;
  /** Keys that this node provides. */
  readonly providedKeys: number;
  /** Records that wait to be sent. */
  readonly waitingRecords: number;
  /** Other nodes that it knows, connected or not. */
  readonly knownPeers: number;
  /** Each in one state only: one that is connected and does not answer is dead. */
  readonly peers: { readonly connected: number; readonly suspect: number; readonly dead: number };
}

/** One node's part in the DHT, without the connections. */
export interface DhtNode extends AsyncDisposable {
  /** Takes a message of the DHT's protocol, see RpcHandler. */
  answer(from: Uint8Array, message: Uint8Array): Uint8Array | undefined;
  /** Takes a notice without its length. Throws MessageError when it makes no sense. */
  notice(from: Uint8Array, message: Uint8Array): void;
  /** A peer that speaks the protocol is connected; also when it says something new of itself. */
  connected(id: Uint8Array, facts: PeerFacts): void;
  /** The peer has come back on another connection while this node still had one from before: it may have lost all that it knew. */
  replaced(id: Uint8Array): void;
  /** The last connection to the peer has ended. */
  disconnected(id: Uint8Array): void;
  /** The peer cannot be dialled. */
  unreachable(id: Uint8Array): void;
  /** The peer is no member any more: nothing that it said counts. */
  dismissed(id: Uint8Array): void;
  /** True while a member that speaks the protocol is connected, by its name. */
  isMemberConnected(name: string): boolean;
  /**
   * Ends connections to `count` peers that are needed least, those that are ending already among them, after telling them:
   * they stay known, and neither end dials the other until it is needed. Where it has to begin with any, it takes `step` more.
   * Returns how many it has begun with.
   */
  makeRoom(count: number, step?: number): number;
  /** True for a peer that has parted from this node, or this node from it, a while ago at most, and that is not connected. */
  hasParted(name: string): boolean;
  /** Asks the gate again about everybody: who is a member has changed. */
  reconsider(): void;
  /** See Router. */
  lookup(key: string, options: LookupOptions): AsyncGenerator<Peer, void, undefined>;
  /** See Router. */
  isUnsettled(): boolean;
  /** See Reprovider.provide. */
  provide(keys: readonly string[], signal?: AbortSignal): Promise<void>;
  /** Stops providing the keys, and tells those who hold their records. */
  withdraw(keys: readonly string[]): void;
  /** The peers that this node's records name as providers of the key. */
  recorded(key: string): readonly string[];
  /** True if this node's records name the peer. */
  isProvider(name: string): boolean;
  stats(): DhtStats;
  /** How the peer is, as far as this node knows, and for how many ms that has been so. */
  lifeOf(name: string): { readonly life: PeerLife; readonly forMs: number | undefined };
}

/** Settings of createDhtNode. */
export interface DhtNodeOptions {
  /** Provider records that it holds at most. Default MAX_PROVIDER_RECORDS. */
  readonly maxRecords?: number;
  /** Connections that it has at most. Default: no more than it needs. */
  readonly maxConnections?: number;
}

/** A message that asks whether a node is there, or says so, is no longer than this. */
const PING_BYTES = 4;

/** Puts a node together. Dispose it to say goodbye and stop. */
export function createDhtNode(deps: DhtNodeDeps, options: DhtNodeOptions = {}): DhtNode {
  const { self, network, logger, clock, random = Math.random } = deps;
  const selfName = self.toHex();
  const { maxRecords = MAX_PROVIDER_RECORDS, maxConnections = Infinity } = options;
  const records = createProviderRecords(clock, { maxRecords, self: selfName });
  const peers = createPeerTable(self);
  const liveness = createLiveness(clock);
  const stopped = new AbortController();
  /** Peers that understand notices. */
  const listeners = new Set<string>();
  /** Peer -> when something was last asked on its connection, or sent, by either end. */
  const usedMs = new Map<string, number>();
  const used = (name: string) => void usedMs.set(name, clock.nowMs());
  /** Peer -> when one of the two parted from the other. */
  const parted = new Map<string, number>();
  /** Peers whose connections this node is about to end. */
  const ending = new Set<string>();
  /** True for a peer whose connection is about to end, or may be. */
  const isParting = (name: string) => clock.nowMs() - (parted.get(name) ?? -Infinity) < PARTING_MS;
  const connectionTarget = () => {
    const meshed = Math.floor(maxConnections * MESHED_SHARE);
    return Math.min(
      CONNECTION_TARGET,
      peers.size <= meshed ? meshed : Math.floor(maxConnections * DIALLED_SHARE),
    );
  };
  const encodedSelf = () => encodePeer(self, deps.addresses());

  const isConnected = (name: string) => peers.get(name)?.isConnected === true;
  const knownPeer = (name: string): KnownPeer => {
    const peer = peers.get(name);
    if (peer === undefined) throw new Error('The peer has left');
    return peer;
  };
  const dials = createDialLimiter({
    connect: async (peer) => network.connect(peer),
    isConnected: ({ id }) => isConnected(id.toHex()),
    clock,
    signal: stopped.signal,
    random,
  });
  const lookups = createProviderLookups({
    ...deps,
    network: {
      async ask(peer, multihash) {
        const name = peer.id.toHex();
        used(name);
        try {
          const answer = await network.ask(peer, multihash);
          detector.heard(name);
          return answer;
        } catch (error) {
          detector.verify(name);
          throw error;
        }
      },
      isSilent: (peer) => network.isSilent(peer),
    },
    records,
    peers,
    describe: (name) => directory.describe(name),
    liveness,
    detector: {
      isQuiet: (name) => detector.isQuiet(name),
      confirm: async (name) => detector.confirm(name),
    },
    onDeadNamed: (peer) => network.probe(peer),
    // Those who watch it may be too busy to say that it is gone.
    onSlow: ({ id }) => detector.verify(id.toHex()),
  });
  const reprovider = createReprovider(
    {
      ...deps,
      network: {
        closestPeers: (position, count) => peers.closest(position, count).map(({ name }) => name),
        isAmongClosest: (name, position, count) => peers.isAmongClosest(name, position, count),
        positionOf: (name) => peers.get(name)?.position,
        peerCount: () => peers.size,
        isConnected,
        connect: async (name) => dials.connect(knownPeer(name)),
        async send(name, multihashes, signal) {
          used(name);
          const sent = network.deliver(knownPeer(name), encodeAddProviders(multihashes, encodedSelf()));
          await abortable(sent, signal);
          detector.heard(name);
        },
        keepOwn: (multihash) => void records.add(multihash, selfName),
        dropOwn: (multihash) => records.remove(multihash, selfName),
        gone(name, error) {
          logger.debug('A peer takes no records', { peer: name, error });
          crawler.failed(name);
          lose(name);
          network.drop(name);
        },
      },
    },
    { replication: REPLICATION },
  );
  const directory = createPeerDirectory({
    ...deps,
    peers,
    liveness,
    onJoined(name, wasKnown) {
      dials.connected(name);
      network.heard(name);
      // One that parted a moment ago has not been started anew: it still has its records.
      if (clock.nowMs() - (parted.get(name) ?? -Infinity) >= JUST_PARTED_MS) {
        lookups.peerJoined(name);
        reprovider.peerJoined(name);
      }
      if (!isParting(name)) parted.delete(name);
      deps.onReturned?.(name);
      crawler.heard(name);
      // Of one that was named before the one who did has told what there is to know.
      if (!wasKnown) crawler.met(name);
    },
  });
  const responder = createRpcHandler({
    self: { name: selfName, encoded: encodedSelf },
    records: {
      providersOf: (multihash) => records.providersOf(multihash),
      add: (multihash, name) =>
        (peers.get(name) !== undefined || deps.gate.mayRecord(Uint8Array.fromHex(name))) &&
        records.add(multihash, name, () => deps.gate.originOf?.(Uint8Array.fromHex(name))),
    },
    peers,
    describe: (name) => directory.describe(name),
    onTold(name) {
      // Who is told of it may not be connected to it, and cannot know better.
      if (detector.isQuiet(name)) detector.verify(name);
    },
    isAvoided: (name) => liveness.stateOf(name) === 'dead',
    closerCount: (name) => (listeners.has(name) ? CLOSER_TO_OUR_NODES : REPLICATION),
    introduce: (from, addresses) => directory.introduce(from, addresses),
    random,
  });
  /** Takes the peer out of the table: its records go to those who are next. */
  const forget = (name: string) => {
    const position = peers.get(name)?.position;
    directory.forget(name);
    if (position !== undefined) reprovider.peerLeft(name, position);
  };
  /** The same for one that is dead. */
  const lose = (name: string) => {
    liveness.died(name);
    forget(name);
  };
  const turns = createProbeAssignment({
    position: keyspacePosition(self),
    peers,
    canWatch: (name) => listeners.has(name) && liveness.stateOf(name) !== 'dead',
    isSuspect: (name) => liveness.stateOf(name) === 'suspect',
    nowMs: () => clock.nowMs(),
  });
  const detector = createFailureDetector({
    clock,
    *connected() {
      for (const { name, isConnected } of peers.all()) if (isConnected) yield name;
    },
    askAfterMs: (name) => turns.askAfterMs(name),
    onSuspicion(names) {
      const suspects = names.slice(0, MAX_SUSPECTS_PER_NOTICE).map((name) => Uint8Array.fromHex(name));
      tellAll(encodeNotice({ suspects }));
    },
    async ping(name) {
      const peer = peers.get(name);
      if (peer !== undefined) await network.deliver(peer, new Uint8Array(0));
    },
    onBack: (name) => {
      liveness.connected(name);
      network.heard(name);
      deps.onReturned?.(name);
    },
    pingAloneAfterMs: () =>
      peers.size > Math.min(CONNECTION_TARGET, maxConnections) ? PING_ALONE_AFTER_MS : QUIET_AFTER_MS,
    onSilent(name) {
      liveness.died(name);
      liveness.noteLoss();
    },
    onGivenUp(name) {
      lose(name);
      network.drop(name);
    },
  });
  const sweep = async () => {
    let refusedBefore = 0;
    while (!stopped.signal.aborted) {
      await clock.sleep(SWEEP_RECORDS_INTERVAL_MS, stopped.signal).catch(() => {});
      records.sweep();
      if (records.refusedCount === refusedBefore) continue;
      logger.warn('No room for more provider records', {
        records: records.recordCount,
        refused: records.refusedCount - refusedBefore,
      });
      refusedBefore = records.refusedCount;
    }
  };
  const crawler = createCrawler({
    ...deps,
    peers,
    network: {
      findNode: async (peer, key) => network.findNode(peer, key),
      connect: async (peer) => dials.connect(peer),
    },
    connectionTarget,
    onNamed({ id, addresses }) {
      const name = id.toHex();
      if (liveness.stateOf(name) === 'dead') {
        network.probe({ id, addresses });
        return false;
      }
      const isNew = directory.named(id, addresses);
      if (isNew) reprovider.peerNamed(name);
      return isNew;
    },
    onUnreachable: lose,
  });
  let isLossPending = false;
  /** Once for all that are lost together, and not at the time when everybody is busy with that. */
  const askAfterLoss = () => {
    if (isLossPending) return;
    isLossPending = true;
    clock
      .sleep(CRAWL_AFTER_LOSS_MS * (1 - random() / 2), stopped.signal)
      .then(() => {
        isLossPending = false;
        crawler.lost();
      })
      .catch(() => {});
  };
  const running = [detector.run(stopped.signal), sweep(), crawler.run(stopped.signal)];

  const tell = async (peer: KnownPeer, notice: Uint8Array) =>
    network.notify(peer, notice).catch((error: unknown) => {
      logger.debug('Cannot send a notice', { peer: peer.name, error });
    });
  const tellAll = (notice: Uint8Array) => {
    for (const peer of peers.all()) {
      if (peer.isConnected && listeners.has(peer.name)) void tell(peer, notice);
    }
  };
  /**
   * Tells everybody who is connected: not only the closest of today hold the records, but also those of the time when
   * fewer nodes were known. Who is not connected finds out when it asks.
   */
  const tellWithdrawn = (keys: readonly string[]) => {
    const multihashes = keys.map(contentMultihash);
    for (let start = 0; start < multihashes.length; start += MAX_WITHDRAWN_PER_NOTICE) {
      tellAll(encodeNotice({ withdrawn: multihashes.slice(start, start + MAX_WITHDRAWN_PER_NOTICE) }));
    }
  };

  /** Whom this node needs most: its neighbours, of whom it hears of others that are close, and those to whom records go. */
  const isNeeded = (name: string, closest: ReadonlySet<string>) =>
    closest.has(name) || reprovider.isSendingTo(name);
  const notePart = (name: string) => {
    lruSet(parted, name, clock.nowMs(), MAX_KNOWN_PEERS);
    reprovider.peerParted(name);
  };
  const makeRoom = (count: number, step = 0) => {
    const all = [...peers.all()].filter((peer) => peer.isConnected);
    const connected = all.filter(({ name }) => !ending.has(name));
    const missing = count - (all.length - connected.length);
    if (missing <= 0) return 0;
    const closest = peers.closest(keyspacePosition(self), REPLICATION, ({ isConnected: is }) => is);
    const neighbours = new Set(closest.map(({ name }) => name));
    const { needed = [], others = [] } = Object.groupBy(connected, ({ name }) =>
      isNeeded(name, neighbours) ? 'needed' : 'others',
    );
    // The one that was used last comes last.
    const byUse = (a: KnownPeer, b: KnownPeer) => (usedMs.get(a.name) ?? 0) - (usedMs.get(b.name) ?? 0);
    const least = [...others.sort(byUse), ...needed.sort(byUse)].slice(0, missing + step);
    for (const peer of least) {
      notePart(peer.name);
      ending.add(peer.name);
      const told = Promise.withResolvers<void>();
      // One that does not take it is ended all the same.
      const cancel = deps.timers.after(TELL_PARTING_MS, told.resolve);
      if (listeners.has(peer.name)) void tell(peer, encodeNotice({ parting: true })).then(told.resolve);
      else told.resolve();
      void told.promise.then(() => {
        cancel();
        network.part(peer.name, true);
        // It may be there again, on a connection that is not to end.
        deps.timers.after(TELL_PARTING_MS, () => ending.delete(peer.name));
      });
    }
    return least.length;
  };

  return {
    answer(from, message) {
      const name = from.toHex();
      detector.heard(name);
      // That somebody asks whether this node is there is not a use of the connection.
      if (message.length > PING_BYTES) used(name);
      return responder.answer(from, message);
    },
    notice(from, message) {
      const name = from.toHex();
      detector.heard(name);
      const { withdrawn, leaving, suspects, parting } = parseNotice(message);
      for (const multihash of withdrawn) records.remove(multihash, name);
      // A pending peer has no say about others.
      if (peers.get(name) !== undefined) for (const suspect of suspects) detector.suspect(suspect.toHex());
      // It may not have said yet what it is.
      if (parting) {
        notePart(name);
        network.part(name, false);
      }
      if (!leaving) return;
      records.removeProvider(name);
      lose(name);
      network.drop(name);
      askAfterLoss();
    },
    connected(id, { addresses, takesNotices }) {
      const name = id.toHex();
      if (takesNotices) listeners.add(name);
      used(name);
      directory.connected(id, addresses);
      // It has just said who it is; what it was asked before may wait where it was.
      detector.heard(name);
      // Also when its last connection has not been seen to end yet.
      if (peers.get(name) !== undefined) deps.onReturned?.(name);
    },
    replaced(id) {
      const name = id.toHex();
      if (!isConnected(name)) return;
      lookups.peerJoined(name);
      reprovider.peerJoined(name);
    },
    disconnected(id) {
      const name = id.toHex();
      listeners.delete(name);
      usedMs.delete(name);
      ending.delete(name);
      const isAgreed = isParting(name);
      directory.disconnected(id, isAgreed);
      if (!isAgreed) askAfterLoss();
    },
    isMemberConnected: isConnected,
    makeRoom,
    hasParted: (name) => clock.nowMs() - (parted.get(name) ?? -Infinity) < PARTED_MS,
    unreachable: (id) => lose(id.toHex()),
    dismissed(id) {
      const name = id.toHex();
      records.removeProvider(name);
      forget(name);
    },
    reconsider() {
      for (const name of directory.reconsider()) forget(name);
      crawler.wake();
    },
    lookup: (key, options) => lookups.lookup(key, options),
    isUnsettled: () => liveness.isUnsettled(),
    provide: async (keys, signal) => reprovider.provide(keys, signal),
    withdraw(keys) {
      reprovider.stop(keys);
      tellWithdrawn(keys);
    },
    recorded: (key) => records.providersOf(contentMultihash(key)),
    isProvider: (name) => records.isProvider(name),
    lifeOf: (name) => ({ life: liveness.stateOf(name), forMs: liveness.inStateMs(name) }),
    stats() {
      const { alive, suspect, dead } = liveness.counts();
      const { keys, waiting } = reprovider.stats();
      return {
        records: records.recordCount,
        recordedKeys: records.contentCount,
        refusedRecords: records.refusedCount,
        providedKeys: keys,
        waitingRecords: waiting,
        knownPeers: peers.size,
        peers: { connected: alive, suspect, dead },
      };
    },
    async [Symbol.asyncDispose]() {
      stopped.abort(new Error('The router has stopped'));
      const goodbye = encodeNotice({ leaving: true });
      const told = [...peers.all()]
        .filter(({ name, isConnected }) => isConnected && listeners.has(name))
        .map(async (peer) => tell(peer, goodbye));
      const late = Promise.withResolvers<void>();
      const cancel = deps.timers.after(GOODBYE_TIMEOUT_MS, late.resolve);
      await Promise.race([Promise.all(told), late.promise]);
      cancel();
      await Promise.all([reprovider[Symbol.asyncDispose](), ...running]);
    },
  };
}
