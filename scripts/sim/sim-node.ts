import {
  encodeMessage,
  MESSAGE_TYPES,
  type NamedPeer,
  parseAnswer,
  parsePeer,
} from '../../src/dht/wire/dht-message.ts';
import type { DhtNode } from '../../src/dht/dht-node-contract.ts';
import { createDhtNode } from '../../src/dht/dht-node.ts';
import { encodeGetProviders, parseProvidersAnswer } from '../../src/dht/wire/get-providers-message.ts';
import { MAX_MESSAGE_BYTES } from '../../src/dht/limits.ts';
import { createMessageSplitter } from '../../src/dht/wire/message-splitter.ts';
import { formatPeerAddress, parsePeerAddress } from '../../src/dht/wire/peer-address.ts';
import { createReconnector } from '../../src/dht/peers/reconnector.ts';
import { silentLogger } from '../../src/observe/log.ts';
import type { BootstrapNetwork } from '../../src/bootstrap/bootstrap-loop.ts';
import { runBootstrapLoop } from '../../src/bootstrap/bootstrap-loop.ts';
import { formatIp, parseIp } from '../../src/runtime/ip-address.ts';
import { isUnicastIp } from '../../src/runtime/ip-scope.ts';
import { abortable } from '../../src/runtime/abortable.ts';
import type { Random } from './random.ts';
import type { Host, Link, SimNetwork } from './sim-network.ts';
import { type Answering, createSimStreams } from './sim-streams.ts';
import type { VirtualTime } from './virtual-time.ts';

/** A node of the simulated cluster: the production modules, over the modelled network. */
export interface SimNode extends Answering {
  readonly dht: DhtNode;
  readonly startedMs: number;
  /** When it counted as ready, see Router. */
  readonly readyMs: number | undefined;
  /** When it has gone, with a goodbye or without. */
  readonly goneMs: number | undefined;
  readonly connections: number;
  readonly streamsOpened: number;
  isConnectedTo(name: string): boolean;
  /** Whom it was connected to when it went, by name. */
  readonly mourners: ReadonlySet<string>;
  /** How many answers led to the one that first named providers of the key's multihash, since the last time it was asked. */
  hopsOf(multihash: Uint8Array): number | undefined;
  /** Asks a peer by name, which must be connected, with any bytes: for tests of what is hostile. */
  askRaw(name: string, messages: Uint8Array): Promise<Uint8Array>;
  /** Sends a notice to a peer by name, which must be connected. */
  notifyRaw(name: string, notice: Uint8Array): Promise<void>;
  /** Changes what the node answers: for tests of what is hostile. */
  tamper: ((message: Uint8Array, answer: Uint8Array | undefined) => Uint8Array | undefined) | undefined;
  /** The process ends at once: the kernel closes its connections. */
  crash(): void;
  /** The machine goes: nobody hears anything. */
  loseHost(): void;
  /** Says goodbye and ends. */
  stop(): Promise<void>;
}

/** What startSimNode needs. */
export interface SimNodeDeps {
  readonly time: VirtualTime;
  readonly network: SimNetwork;
  readonly random: Random;
  /** The IPs that bootstrap names now, as DNS would. */
  readonly bootstrap: () => readonly Uint8Array[];
  readonly onWalk?: (walk: { readonly durationMs: number; readonly asked: number }) => void;
}

/** Settings of startSimNode. */
export interface SimNodeOptions {
  readonly host: Host;
  /** Its ID; a new one if it is not given. */
  readonly id?: Uint8Array | undefined;
  readonly maxConnections: number;
}

/** The router's port; the model does not use it. */
const PORT = 5001;
/** The multihash of an Ed25519 key begins so: identity, 36 bytes, key type, 32 bytes (libp2p specs, peer IDs). */
const ID_PREFIX = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20] as const;
const KEY_BYTES = 32;
/** Identify: what a node has to say of itself after a handshake takes one more round trip. */
const IDENTIFY_MS = 1;
/** Connections that are let in before others have ended for them. */
const CONNECTIONS_ON_TOP = 16;
/** Peers that bootstrapping goes back to when all are lost. */
const MAX_REMEMBERED = 20;

/** Starts a node on the host. */
export function startSimNode(
  { time, network, random, bootstrap, onWalk }: SimNodeDeps,
  { host, id: givenId, maxConnections }: SimNodeOptions,
): SimNode {
  const id = givenId ?? Uint8Array.from([...ID_PREFIX, ...random.bytes(KEY_BYTES)]);
  const name = id.toHex();
  const links = new Map<string, Link>();
  /** Those beside the first one to the same peer: both dialled at the same time. */
  const spares = new Map<string, Link[]>();
  const dialling = new Map<string, Promise<Link>>();
  const remembered = new Map<string, Uint8Array>();
  /** IP -> who was met there last. */
  const nameAt = new Map<string, string>();
  const ended = new AbortController();
  const { clock, timers } = time.ofProcess(() => node.isGone);
  const hops = new Map<string, { found: number | undefined; readonly depths: Map<string, number> }>();
  let changed = Promise.withResolvers<void>();
  let readyMs: number | undefined;
  let goneMs: number | undefined;
  let mourners: ReadonlySet<string> = new Set();

  const tellChanged = () => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  const allLinks = () => [...links.values(), ...[...spares.values()].flat()];
  const otherEnd = (link: Link) => link.ends[link.ends[0] === node ? 1 : 0] as Answering;
  const dial = async (ip: Uint8Array, expected: string | undefined) => {
    const key = `${expected ?? ''}@${ip.toHex()}`;
    const running = dialling.get(key);
    if (running !== undefined) return running;
    const started = network.dial(node, ip, expected);
    dialling.set(key, started);
    return started.finally(() => dialling.delete(key));
  };
  const linkTo = async (peer: NamedPeer) => {
    const to = peer.id.toHex();
    const open = links.get(to);
    if (open !== undefined) return open;
    const [address] = peer.addresses.flatMap((bytes) => parsePeerAddress(bytes) ?? []);
    const ip = address?.ip ?? remembered.get(to);
    if (ip === undefined) throw new Error('No address of the peer is known');
    await dial(ip, to);
    const link = links.get(to);
    if (link === undefined) throw new Error('The connection has ended');
    return link;
  };
  const close = (to: string) => {
    for (const link of [...(spares.get(to) ?? []), ...(links.has(to) ? [links.get(to)] : [])]) {
      if (link !== undefined) network.close(link, node);
    }
  };
  const noteDepth = (multihash: Uint8Array, from: string, named: readonly NamedPeer[], isFound: boolean) => {
    const walk = hops.get(multihash.toHex());
    if (walk === undefined) return;
    const depth = walk.depths.get(from) ?? 1;
    for (const peer of named) {
      const other = peer.id.toHex();
      if (!walk.depths.has(other)) walk.depths.set(other, depth + 1);
    }
    if (isFound) walk.found = Math.min(walk.found ?? Infinity, depth);
  };
  const notify = async (to: string, notice: Uint8Array) => {
    const link = links.get(to);
    if (link === undefined) throw new Error('The peer is not connected');
    const other = otherEnd(link) as SimNode;
    const { promise, resolve } = Promise.withResolvers<void>();
    network.send(link, node, 'notice', notice.length, () => {
      for (const message of createMessageSplitter(MAX_MESSAGE_BYTES).push(notice)) {
        other.dht.notice(id, message);
      }
      resolve();
    });
    return promise;
  };

  const node: SimNode = {
    name,
    id,
    host,
    isGone: false,
    tamper: undefined,
    startedMs: time.nowMs(),
    get readyMs() {
      return readyMs;
    },
    get goneMs() {
      return goneMs;
    },
    get connections() {
      return links.size;
    },
    get streamsOpened() {
      return streams.openedCount;
    },
    get dht() {
      return dht;
    },
    hasRoom: () => links.size < maxConnections + CONNECTIONS_ON_TOP,
    isConnectedTo: (to) => links.has(to),
    get mourners() {
      return mourners;
    },
    opened(link) {
      const other = otherEnd(link);
      if (links.has(other.name)) {
        spares.set(other.name, [...(spares.get(other.name) ?? []), link]);
        return;
      }
      links.set(other.name, link);
      remembered.delete(other.name);
      remembered.set(other.name, other.host.ip);
      nameAt.set(formatIp(other.host.ip), other.name);
      reconnector.connected(other.name);
      timers.after(IDENTIFY_MS, () => {
        if (!links.has(other.name)) return;
        dht.connected(other.id, {
          addresses: [formatPeerAddress({ ip: other.host.ip, port: PORT })],
          capabilities: { notices: true },
        });
        tellChanged();
        const excess = links.size - maxConnections;
        if (excess > 0) dht.makeRoom(excess, Math.ceil(maxConnections / CONNECTIONS_ON_TOP));
      });
    },
    closed(link) {
      const other = otherEnd(link);
      const others = (spares.get(other.name) ?? []).filter((spare) => spare !== link);
      spares.delete(other.name);
      streams.closed(link);
      if (links.get(other.name) === link) links.delete(other.name);
      const [next, ...rest] = others;
      if (next !== undefined && !links.has(other.name)) {
        links.set(other.name, next);
        if (rest.length > 0) spares.set(other.name, rest);
      } else if (others.length > 0) spares.set(other.name, others);
      if (links.has(other.name)) return;
      dht.disconnected(other.id);
      reconnector.disconnected(other.name);
      tellChanged();
    },
    receive(from, message) {
      const answer = dht.answer(from.id, message);
      return node.tamper === undefined ? answer : node.tamper(message, answer);
    },
    hopsOf(multihash) {
      const before = hops.get(multihash.toHex())?.found;
      hops.set(multihash.toHex(), { found: undefined, depths: new Map() });
      return before;
    },
    askRaw: async (to, messages) =>
      streams.ask({ id: Uint8Array.fromHex(to), addresses: [] }, 'lookup', messages),
    notifyRaw: notify,
    crash() {
      end();
      for (const link of allLinks()) network.close(link, node);
    },
    loseHost() {
      end();
      network.crash(host);
      for (const link of allLinks()) network.close(link, node);
    },
    async stop() {
      await Promise.allSettled([dht[Symbol.asyncDispose](), reconnector[Symbol.asyncDispose]()]);
      node.crash();
    },
  };
  const end = () => {
    node.isGone = true;
    goneMs = time.nowMs();
    mourners = new Set(links.keys());
    host.process = undefined;
    ended.abort(new Error('The node has ended'));
  };
  const streams = createSimStreams({ self: node, time, network, linkTo });
  const dht = createDhtNode(
    {
      self: id,
      addresses: () => [formatPeerAddress({ ip: host.ip, port: PORT })],
      network: {
        async ask(peer, multihash) {
          const answer = await streams.ask(peer, 'lookup', encodeGetProviders(multihash));
          const parsed = parseProvidersAnswer(answer, multihash);
          noteDepth(multihash, peer.id.toHex(), parsed.closer, parsed.providers.length > 0);
          return parsed;
        },
        async findNode(peer, key) {
          const question = { type: MESSAGE_TYPES.findNode, key };
          const answer = await streams.ask(peer, 'crawl', encodeMessage(question));
          return parseAnswer(answer, question, 0).closer.flatMap((each) => parsePeer(each) ?? []);
        },
        connect: async (peer) => void (await linkTo(peer)),
        deliver: async (peer, messages) => streams.deliver(peer, messages),
        isSilent: (peer) => streams.isSilent(peer),
        heard: (to) => streams.heard(to),
        notify: async (peer, notice) => notify(peer.id.toHex(), notice),
        probe: (peer) => reconnector.probe(peer.id.toHex(), peer.addresses),
        drop: (to) => reconnector.drop(to),
        part(to, isOurs) {
          reconnector.parting(to);
          if (isOurs) close(to);
        },
      },
      gate: { isMember: () => true, mayRecord: () => true, isUsable: isUnicastIp },
      toProvider(peer) {
        const addresses = peer.addresses.flatMap((bytes) => parsePeerAddress(bytes) ?? []);
        const provider = peer.id.toHex();
        return addresses.length === 0
          ? undefined
          : { id: provider, name: provider, addresses: addresses.map(({ ip }) => formatIp(ip)) };
      },
      observer: {
        walkEnded: ({ durationMs, asked }) => onWalk?.({ durationMs, asked }),
        lookupEnded: () => {},
        recordsSent: () => {},
        sweepEnded: () => {},
      },
      logger: silentLogger,
      clock,
      timers,
      random: () => random.next(),
    },
    { maxConnections },
  );
  const reconnector = createReconnector({
    network: {
      isConnected: (to) => links.has(to),
      async dial(to, addresses) {
        const [named] = addresses.flatMap((bytes) => parsePeerAddress(bytes) ?? []);
        const ip = named?.ip ?? remembered.get(to);
        if (ip === undefined) throw new Error('No address of the peer is known');
        await dial(ip, to);
      },
      close,
    },
    logger: silentLogger,
    clock,
    onUnreachable: (to) => dht.unreachable(Uint8Array.fromHex(to)),
    random: () => random.next(),
  });
  const bootstrapNetwork: BootstrapNetwork = {
    isSelf: ({ multiaddrs }) => multiaddrs.every((address) => address === formatIp(host.ip)),
    async connect({ multiaddrs }) {
      const [address = ''] = multiaddrs;
      await dial(parseIp(address) ?? new Uint8Array(4), undefined);
      return true;
    },
    isConnected: ({ multiaddrs }) =>
      [...links.values()].some((link) => multiaddrs.includes(formatIp(otherEnd(link).host.ip))) ||
      multiaddrs.some((address) => {
        const to = nameAt.get(address);
        return to !== undefined && dht.hasParted(to);
      }),
    knownPeers: async () =>
      [...remembered.values()].slice(-MAX_REMEMBERED).map((ip) => ({ multiaddrs: [formatIp(ip)] })),
    hasPeers: () => links.size > 0,
    peerCount: () => links.size,
    peersChanged: async (signal) => abortable(changed.promise, signal),
  };
  host.process = node;
  void runBootstrapLoop(
    {
      bootstrapper: {
        kind: 'sim',
        peers: async () =>
          bootstrap().map((ip, index) => ({
            multiaddrs: [formatIp(ip)],
            rank: Math.floor(index / PEERS_PER_RANK),
          })),
      },
      network: bootstrapNetwork,
      logger: silentLogger,
      clock,
      random: () => random.next(),
      onReady: () => {
        readyMs ??= time.nowMs();
      },
    },
    ended.signal,
  ).catch(() => {});
  return node;
}

/** DNS bootstrap dials the 3 lowest addresses, then the next 3 (createDnsBootstrapper). */
const PEERS_PER_RANK = 3;
