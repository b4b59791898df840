import { keepLast } from '../runtime/keep-last.ts';
import { lruSet } from '../runtime/lru-set.ts';
import type { DhtNode, DhtNodeDeps, DhtNodeOptions } from './dht-node-contract.ts';
import { MAX_PROVIDER_RECORDS, REPLICATION } from './limits.ts';
import { createProviderLookups } from './lookup/provider-lookups.ts';
import { createNotices } from './notices.ts';
import { createConnectionBudget } from './peers/connection-budget.ts';
import { createCrawler } from './peers/crawler.ts';
import { createDialLimiter } from './peers/dial-limiter.ts';
import { createLossSearch } from './peers/loss-search.ts';
import { createPeerBook } from './peers/peer-book.ts';
import { createPeerProbing } from './peers/peer-probing.ts';
import { createPeerTable, type KnownPeer } from './peers/peer-table.ts';
import { createProviderRecords } from './provide/provider-records.ts';
import { createReproviderNetwork } from './provide/reprovider-network.ts';
import { EARLY_REPLICAS, createReprovider } from './provide/reprovider.ts';
import { sweepRecords } from './provide/sweep-records.ts';
import { createRpcHandler } from './rpc-handler.ts';
import { createNoticeTaker } from './take-notice.ts';
import { contentMultihash, keyspacePosition } from './wire/content-key.ts';
import { encodePeer, type NamedPeer } from './wire/dht-message.ts';
import { isCloserTo } from './wire/keyspace-distance.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
/**
 * How many peers closer to a key are named to a node of this program that asks for providers. Such a node knows the
 * cluster from its crawls. Twenty names, of 80 bytes each, were a quarter of what a question about a key without
 * providers cost.
 */
export const CLOSER_TO_OUR_NODES = 5;
/** Time to say goodbye when a node stops. */
const GOODBYE_TIMEOUT_MS = 500;
/** For so long a parted peer is not looked for: it is still there, and is dialled when it is needed. */
const PARTED_MS = 30 * MINUTE_MS;
/** Positions that are remembered: those of the layers of some images. */
const MAX_POSITIONS = 500;
/** A message that asks whether a node is there, or says so, is no longer than this. */
const PING_BYTES = 4;

/** Puts a node together. Dispose it to say goodbye and stop. */
export function createDhtNode(deps: DhtNodeDeps, options: DhtNodeOptions = {}): DhtNode {
  const { self, network, gate, logger, clock, timers, random = Math.random } = deps;
  const selfName = self.toHex();
  const { maxRecords = MAX_PROVIDER_RECORDS, maxConnections = Infinity, zone, nodeName } = options;
  const stopped = new AbortController();
  const records = createProviderRecords(clock, { maxRecords, self: selfName });
  const peers = createPeerTable(self);
  const book = createPeerBook({ peers, gate, clock });
  const notices = createNotices({
    peers,
    book,
    notify: async (peer, notice) => network.notify(peer, notice),
    own: { zone, nodeName },
    logger,
  });
  const ownPosition = keyspacePosition(self);
  /** Each message with records has it, and the addresses hardly ever change. */
  const encodeSelf = keepLast((addresses: readonly Uint8Array[]) => encodePeer(self, addresses));
  const encodedSelf = () => encodeSelf(deps.addresses());
  /** Positions of keys: what is asked for once is asked for several times, while it is downloaded. */
  const positions = new Map<string, Uint8Array>();
  const positionOf = (key: string) => {
    const known = positions.get(key);
    if (known !== undefined) return known;
    const position = keyspacePosition(contentMultihash(key));
    lruSet(positions, key, position, MAX_POSITIONS);
    return position;
  };
  const isConnected = (name: string) => peers.get(name)?.isConnected === true;
  const takesNotices = (name: string) => book.get(name)?.capabilities.notices === true;
  const isDead = (name: string) => book.lifeOf(name) === 'dead';
  const zoneOf = (name: string) => (name === selfName ? zone : book.get(name)?.zone);
  const nodeNameOf = (name: string) => (name === selfName ? nodeName : book.get(name)?.nodeName);
  const named = (name: string) => ({ name, id: Uint8Array.fromHex(name) });

  const dials = createDialLimiter({
    connect: async (peer) => network.connect(peer),
    isConnected: ({ id }) => isConnected(id.toHex()),
    clock,
    signal: stopped.signal,
    random,
  });
  const detector = createPeerProbing(
    {
      position: ownPosition,
      peers,
      book,
      notices,
      ping: async (peer) => network.deliver(peer, new Uint8Array(0)),
      clock,
    },
    maxConnections,
  );
  const lookups = createProviderLookups({
    ...deps,
    network: {
      async ask(peer: NamedPeer, multihash: Uint8Array) {
        const name = peer.id.toHex();
        book.used(name);
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
    describe: (name) => book.describe(name),
    lifeOf: (name) => book.lifeOf(name),
    zoneOf,
    detector,
    onDeadNamed: (peer) => network.probe(peer),
    // The nodes that probe the peer may be too busy to say that it does not answer.
    onSlow: ({ id }) => detector.verify(id.toHex()),
  });
  const reprovider = createReprovider(
    {
      ...deps,
      network: createReproviderNetwork({
        self: { name: selfName, encoded: encodedSelf },
        peers,
        book,
        dials,
        records,
        deliver: async (peer, messages) => network.deliver(peer, messages),
        onHeard: (name) => detector.heard(name),
        logger,
      }),
    },
    { replication: REPLICATION },
  );
  const budget = createConnectionBudget(
    {
      position: ownPosition,
      peers,
      book,
      isSendingTo: (name) => reprovider.isSendingTo(name),
      tell: async (peer) => notices.parting(peer),
      end: (name) => network.part(name, true),
      timers,
    },
    maxConnections,
  );
  const crawler = createCrawler({
    ...deps,
    peers,
    network: {
      findNode: async (peer, key) => network.findNode(peer, key),
      connect: async (peer) => dials.connect(peer),
    },
    connectionTarget: () => budget.target(),
    onNamed: (peer) => book.named(peer),
    onUnreachable: (name) => book.happened('unreachable', named(name)),
  });
  const responder = createRpcHandler({
    self: { name: selfName, encoded: encodedSelf },
    records: {
      providersOf: (multihash) => records.providersOf(multihash),
      add: (multihash, name) =>
        (peers.get(name) !== undefined || gate.mayRecord(Uint8Array.fromHex(name))) &&
        records.add(multihash, name, () => gate.originOf?.(Uint8Array.fromHex(name))),
    },
    peers,
    describe: (name) => book.describe(name),
    onTold(name) {
      // The node that is told of the provider may not be connected to it, and cannot know better.
      if (detector.isQuiet(name)) detector.verify(name);
    },
    isAvoided: isDead,
    closerCount: (name) => (takesNotices(name) ? CLOSER_TO_OUR_NODES : REPLICATION),
    introduce: (from, addresses) => book.introduce(from, addresses),
    random,
  });

  const takeNotice = createNoticeTaker({
    peers,
    book,
    detector,
    records,
    onParting: (name) => network.part(name, false),
  });

  book.subscribe({
    joined({ name }, { wasListed, hasJustParted }) {
      dials.connected(name);
      crawler.heard(name);
      notices.introduce(name);
      // The peer that named a listed peer has told already what the listed peer knows.
      if (!wasListed) crawler.met(name);
      if (hasJustParted) return;
      lookups.peerJoined(name);
      reprovider.peerJoined(name);
    },
    returned({ name }) {
      network.heard(name);
      deps.onReturned?.(name);
    },
    named: ({ name }) => reprovider.peerNamed(name),
    resurfaced: (peer) => network.probe(peer),
    parting: ({ name }) => reprovider.peerParted(name),
    unlisted: ({ name, id }) => reprovider.peerLeft(name, keyspacePosition(id)),
    dropped: ({ name }) => network.drop(name),
    erased: ({ name }) => records.removeProvider(name),
    distrusted: ({ name }) => crawler.failed(name),
    searched: createLossSearch({ search: () => crawler.lost(), clock, random, signal: stopped.signal }),
  });
  const running = [
    detector.run(stopped.signal),
    crawler.run(stopped.signal),
    sweepRecords({ records, logger, clock }, stopped.signal),
  ];

  return {
    answer(from, message) {
      const name = from.toHex();
      detector.heard(name);
      // A probe is not a use of the connection.
      if (message.length > PING_BYTES) book.used(name);
      return responder.answer(from, message);
    },
    notice(from, message) {
      detector.heard(from.toHex());
      takeNotice(from, message);
    },
    connected(id, facts) {
      book.connected(id, facts);
      // The peer has just said what it is. A probe of before may still wait on its old connection.
      detector.heard(id.toHex());
    },
    replaced(id) {
      const name = id.toHex();
      if (!isConnected(name)) return;
      notices.introduce(name);
      lookups.peerJoined(name);
      reprovider.peerJoined(name);
    },
    disconnected: (id) => book.disconnected(id),
    unreachable: (id) => book.happened('unreachable', { id, name: id.toHex() }),
    dismissed: (id) => book.happened('dismissed', { id, name: id.toHex() }),
    isMemberConnected: isConnected,
    hasPeers() {
      for (const { isConnected: isThere } of peers.all()) if (isThere) return true;
      return false;
    },
    makeRoom: (count, step) => budget.makeRoom(count, step),
    hasParted: (name) => book.hasParted(name, PARTED_MS),
    hasLeft: (name, withinMs) => book.hasLeft(name, withinMs),
    reconsider() {
      book.reconsider();
      crawler.wake();
    },
    lookup: (key, lookupOptions) => lookups.lookup(key, lookupOptions),
    absent(key, by) {
      if (!book.isUnsettled()) lookups.absent(key, by);
    },
    isUnsettled: () => book.isUnsettled(),
    provide: async (keys, signal) => reprovider.provide(keys, signal),
    withdraw(keys) {
      reprovider.stop(keys);
      notices.withdrawn(keys);
    },
    recorded: (key) => records.providersOf(contentMultihash(key)),
    isProvider: (name) => records.isProvider(name),
    nearest(key, count, capability) {
      const target = positionOf(key);
      const isAble = ({ name }: KnownPeer) =>
        book.get(name)?.capabilities[capability] === true && book.lifeOf(name) === 'alive';
      const near = peers.closest(target, count, isAble);
      const farther = near.findIndex((peer) => isCloserTo(target, ownPosition, peer.position));
      const names = near.map(({ name }) => name);
      names.splice(farther < 0 ? names.length : farther, 0, selfName);
      return names.slice(0, count);
    },
    isToldFirst: (name, key) => peers.isAmongClosest(name, positionOf(key), EARLY_REPLICAS),
    describe: (name) =>
      name === selfName
        ? { id: self, addresses: deps.addresses() }
        : isDead(name)
          ? undefined
          : book.describe(name),
    zoneOf,
    nodeNameOf,
    lifeOf: (name) => ({ life: book.lifeOf(name), forMs: book.inStateMs(name) }),
    stats() {
      const { alive, suspect, dead } = book.counts();
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
      const late = Promise.withResolvers<void>();
      const cancel = timers.after(GOODBYE_TIMEOUT_MS, late.resolve);
      await Promise.race([notices.leaving(), late.promise]);
      cancel();
      await Promise.all([reprovider[Symbol.asyncDispose](), ...running]);
    },
  };
}
