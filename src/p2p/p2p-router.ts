import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';

import { bootstrapDocuments } from '../bootstrap/bootstrap-document.ts';
import { runBootstrapLoop } from '../bootstrap/bootstrap-loop.ts';
import { createDhtNode } from '../dht/dht-node.ts';
import { createNetworkMembership } from '../membership/network-membership.ts';
import type { BootstrapState } from '../routing/router.ts';
import { formatIp } from '../runtime/ip-address.ts';
import { isLoopbackIp, isUnicastIp } from '../runtime/ip-scope.ts';
import { keepLast } from '../runtime/keep-last.ts';
import { planMemory } from '../runtime/memory/memory-plan.ts';
import { systemTimers } from '../runtime/timers.ts';
import { createToProvider } from './addresses/to-provider.ts';
import { createBootstrapNetwork } from './bootstrap-network.ts';
import { capConnections } from './connections/cap-connections.ts';
import { createDoor } from './connections/door.ts';
import { detectDuplicateIdentities } from './connections/duplicate-identity-detector.ts';
import { followConnections } from './connections/follow-connections.ts';
import { followMembership } from './connections/follow-membership.ts';
import { createPeerConnections } from './connections/peer-connections.ts';
import { runPruning } from './connections/run-pruning.ts';
import { watchConnections } from './connections/watch-connections.ts';
import { createDhtNetwork, createPeerGate } from './dht-ports.ts';
import { createKadNode } from './kad-node.ts';
import { createFlightNetwork } from './flight-network.ts';
import { FLIGHT_PROTOCOL, MAX_DHT_STREAMS, NOTICE_PROTOCOL } from './limits.ts';
import type { P2pRouter, P2pRouterDeps, P2pRouterOptions } from './p2p-router-contract.ts';
import { idOf, nameOf, peerNamed } from './peer-names.ts';
import { readPeerStates } from './read-peer-states.ts';
import { ADDRESS_LIMITS, doorOptions, planRouter, UNBOUND_ADDRESS } from './router-budget.ts';
import { createInboundFrames } from './rpc/inbound-frames.ts';
import { serveNoticeStreams } from './rpc/notice-streams.ts';
import { createKeptStreams } from './rpc/kept-streams.ts';
import { createRpcClient } from './rpc/rpc-client.ts';
import { createRpcServer } from './rpc/rpc-server.ts';

const SECOND_MS = 1000;
/** A tower that takes longer is busier than upstream. */
const FLIGHT_ANSWER_TIMEOUT_MS = SECOND_MS;

/**
 * Starts listening and bootstrapping, and returns the running router; ready() tells when it is of use.
 * Rejects when the port cannot be listened on; RangeError when an address makes no sense.
 */
export async function createP2pRouter(deps: P2pRouterDeps, options: P2pRouterOptions): Promise<P2pRouter> {
  const { logger, clock, bootstrapper, privateKey } = deps;
  const { allowLoopback = false, memory = planMemory() } = options;
  if (options.announceAddresses.length === 0) {
    throw new RangeError('No address to announce: give this node an IP that is not loopback, or set NODE_IP');
  }
  const membership =
    deps.membership ?? createNetworkMembership({ logger, clock }, { networks: [], allowLoopback });
  const addressLimits = options.addressLimits ?? (allowLoopback ? UNBOUND_ADDRESS : ADDRESS_LIMITS);
  const budget = planRouter(memory);
  const ownId = peerIdFromPrivateKey(privateKey);
  const stopped = new AbortController();
  const { signal } = stopped;
  const time = { nowMs: () => clock.nowMs(), timers: systemTimers };

  // The host, and what it lets in.
  const frames = createInboundFrames(time, { maxBytes: memory.framesBytes });
  const door = createDoor(time, doorOptions(budget.maxConnections, addressLimits));
  const onStream = createRpcServer({ answer: (from, message) => dht.answer(from, message) }, frames, clock);
  const node = await createKadNode(
    { privateKey, onStream, door, membership, logger },
    { ...options, ...budget },
  );
  const { libp2p, gate } = node;

  // What decides, and how it reaches others.
  const client = createRpcClient({ libp2p, allowLoopback, mayAsk: (peer) => gate.mayAsk(peer), clock });
  const peerConnections = createPeerConnections({
    libp2p,
    logger,
    clock,
    onUnreachable: (peer) => dht.unreachable(idOf(peer)),
  });
  // A socket may show an IPv4 connection with an address of IPv6 that contains it; no peer is to be sent there.
  const isUsable = (ip: Uint8Array) =>
    (isUnicastIp(ip) || (allowLoopback && isLoopbackIp(ip))) && membership.admits(formatIp(ip));
  const onMember = new Set<() => void>();
  const toProvider = createToProvider(isUsable);
  const toBytes = keepLast((announced: readonly string[]) =>
    announced.map((address) => multiaddr(address).bytes),
  );
  const dht = createDhtNode(
    {
      self: idOf(ownId),
      addresses: () => toBytes(node.announced()),
      network: createDhtNetwork({ libp2p, client, peerConnections }),
      gate: createPeerGate({ libp2p, gate, isUsable }),
      toProvider,
      ...(deps.observer === undefined ? {} : { observer: deps.observer }),
      onReturned(name) {
        deps.onPeerReturned?.(peerNamed(name).toString());
        for (const listener of onMember) listener();
      },
      logger,
      clock,
      timers: systemTimers,
    },
    { ...budget, zone: options.zone, nodeName: options.nodeName },
  );

  const flightStreams = createKeptStreams(
    { libp2p, allowLoopback, mayAsk: (peer) => gate.mayAsk(peer), clock },
    { protocol: FLIGHT_PROTOCOL, answerTimeoutMs: FLIGHT_ANSWER_TIMEOUT_MS },
  );
  const flights = createFlightNetwork({
    self: nameOf(ownId),
    dht,
    streams: flightStreams,
    toProvider,
    clock,
    logger,
  });

  // What tells it of connections and members.
  const unfollowConnections = followConnections(libp2p, dht);
  const unfollowMembership = followMembership(
    { gate, libp2p, membership },
    {
      changed: () => dht.reconsider(),
      dismissed: (peer) => dht.dismissed(idOf(peer)),
      joined: () => dht.reconsider(),
    },
  );
  const background: Promise<void>[] = [];
  const stop = async () => {
    stopped.abort(new Error('The router has stopped'));
    await Promise.allSettled([dht[Symbol.asyncDispose](), peerConnections[Symbol.asyncDispose]()]);
    // What was gathered goes before the end of its connection, not with it (gatherFrames): the peer reads it first.
    await new Promise(setImmediate);
    unfollowMembership();
    unfollowConnections();
    client[Symbol.dispose]();
    flightStreams[Symbol.dispose]();
    await Promise.all(background);
    await libp2p.stop();
  };
  try {
    await libp2p.handle(NOTICE_PROTOCOL, serveNoticeStreams(dht), { maxInboundStreams: MAX_DHT_STREAMS });
    if (options.flights === true) {
      const serve = createRpcServer(flights, frames, clock);
      await libp2p.handle(FLIGHT_PROTOCOL, serve, { maxInboundStreams: MAX_DHT_STREAMS });
    }
    await libp2p.start();
  } catch (cause) {
    await stop().catch(() => {});
    const problem = `Cannot listen on ${options.listenAddress} for other nodes: is the port taken?`;
    throw new Error(problem, { cause });
  }
  const { zone, nodeName } = options;
  const self = () => ({ id: ownId.toString(), multiaddrs: node.announced(), zone, name: nodeName });
  logger.info('Router listens', { id: self().id, addresses: node.announced() });

  // What looks after connections.
  const cap = capConnections(
    { libp2p, dht, timers: systemTimers, nowMs: () => Date.now(), room: deps.room },
    { maxConnections: budget.maxConnections },
    signal,
  );
  detectDuplicateIdentities({ libp2p, logger, clock }, signal);
  watchConnections(
    {
      libp2p,
      clock,
      onOpen(connection) {
        client.moved(connection);
        flightStreams.moved(connection);
      },
      onReplaced: (peer) => dht.replaced(idOf(peer)),
    },
    signal,
  );

  // What goes on for as long as it runs.
  let isReady = false;
  let bootstrapState: BootstrapState | undefined;
  const inBackground = (work: Promise<void>) => {
    const guarded = work.catch((error: unknown) => {
      if (!signal.aborted) logger.error('Routing stopped working, restart this node', { error });
    });
    background.push(guarded);
  };
  inBackground(
    runBootstrapLoop(
      {
        bootstrapper,
        network: createBootstrapNetwork({
          node,
          hasPeers: () => dht.hasPeers(),
          hasParted: (peer) => dht.hasParted(nameOf(peer)),
          onMember,
          logger,
        }),
        logger,
        clock,
        onReady() {
          isReady = true;
          logger.info('Router is ready', { peers: dht.stats().knownPeers });
        },
        onOutcome(outcome, error) {
          const reason = error instanceof Error ? error.message : undefined;
          bootstrapState = { kind: bootstrapper.kind, outcome, reason };
          deps.observer?.bootstrapEnded(outcome);
        },
      },
      signal,
    ),
  );
  inBackground(runPruning({ libp2p, dht, clock, peerConnections }, signal));

  const peers = async () => readPeerStates({ libp2p, dht, gate, membership, peerConnections, allowLoopback });
  return {
    ready: () => isReady,
    async *lookup(key, lookupOptions) {
      for await (const peer of dht.lookup(key, lookupOptions)) {
        // An address that was found a moment ago may not be a member's any more.
        const addresses = peer.addresses.filter((ip) => membership.admits(ip));
        if (addresses.length > 0) yield { ...peer, addresses };
      }
    },
    isUnsettled: () => dht.isUnsettled(),
    advertise: async (keys, { signal: callSignal } = {}) => dht.provide(keys, callSignal),
    async withdraw(keys) {
      dht.withdraw(keys);
    },
    peers,
    self,
    bootstrapDocuments: async () => bootstrapDocuments(self(), await peers()),
    announce(addresses) {
      node.announce(addresses);
      logger.info('This node has other addresses now', { addresses: node.announced() });
    },
    stats: () => ({
      ...dht.stats(),
      membership: membership.stats(),
      refused: { ...door.refused, ...frames.refused, ...cap.ended },
    }),
    bootstrapState: () => bootstrapState,
    flights,
    recorded: (key) => dht.recorded(key).map((name) => peerNamed(name).toString()),
    [Symbol.asyncDispose]: stop,
  };
}
