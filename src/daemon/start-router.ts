import { checkNodeIp } from '../p2p/addresses/check-node-ip.ts';
import { findAnnounceAddresses } from '../p2p/addresses/find-announce-addresses.ts';
import { followAnnounceAddresses } from '../p2p/addresses/follow-announce-addresses.ts';
import { loadIdentity } from '../p2p/identity.ts';
import { createP2pRouter } from '../p2p/p2p-router.ts';
import type { P2pRouter } from '../p2p/p2p-router-contract.ts';
import { readSwarmKey } from '../p2p/connections/swarm-key.ts';
import { systemClock as clock } from '../runtime/clock.ts';
import { canonicalIp, parseIp } from '../runtime/ip-address.ts';
import { isLoopbackIp } from '../runtime/ip-scope.ts';
import { parseListenAddress } from '../runtime/listen-address.ts';
import { createBootstrapApp } from '../web/bootstrap-app.ts';
import { createBootstrapper } from './create-bootstrapper.ts';
import { bootstrapDomain, createMembership } from './create-membership.ts';
import { serveBootstrap } from './serve-bootstrap.ts';
import type { NodeProcess } from './node-process.ts';

/** The router, and which addresses are this node's own, or those of its cluster. */
export interface StartedRouter {
  readonly router: P2pRouter;
  /** Whether an address is this node's own. */
  readonly isOwn: (address: string) => boolean;
  /** Whether it is this node's own or another node's: strangers do not get what is kept for these. */
  readonly isFavoured: (address: string) => boolean;
}

/** Starts what meets the other nodes. Rejects when a port is taken, or a file cannot be read. */
export async function startRouter(
  shared: NodeProcess,
  {
    zone,
    nodeName,
    onPeerReturned,
  }: {
    readonly zone: string | undefined;
    readonly nodeName: string | undefined;
    readonly onPeerReturned: (peerId: string) => void;
  },
): Promise<StartedRouter> {
  const { options, logger, metrics, signal, isPod, running, plan, room } = shared;
  // The bootstrap listener comes first: nodes that start together ask each other there while they start.
  let router: P2pRouter | undefined;
  if (options.httpBootstrapAddr !== undefined) {
    const handler = createBootstrapApp(async () => router?.bootstrapDocuments(), logger);
    const where = { address: options.httpBootstrapAddr, certDir: options.httpBootstrapCertDir };
    running.use(await serveBootstrap({ logger, clock, handler }, where));
  }
  const swarmKey = await readSwarmKey(options.swarmKeyFile);
  const addresses = bootstrapDomain(options);
  const { nodeIp } = options;
  const { host: listenHost } = parseListenAddress(options.routerAddr);
  const listenIp = parseIp(listenHost ?? '');
  if (listenIp !== undefined && isLoopbackIp(listenIp)) {
    logger.warn(
      'No other node can connect to this one: set --router-addr to an address that is not loopback',
      {
        address: options.routerAddr,
      },
    );
  }
  let announceAddresses = await findAnnounceAddresses({ clock, logger }, { nodeIp, listenHost, signal });
  const membership = running.use(
    createMembership({ logger, clock, addresses, own: () => announceAddresses }, options),
  );
  router = running.use(
    await createP2pRouter(
      {
        logger,
        clock,
        bootstrapper: createBootstrapper(options, addresses),
        privateKey: await loadIdentity(options.dataDir, { logger }),
        membership,
        observer: metrics.routing,
        onPeerReturned,
        room,
      },
      {
        listenAddress: options.routerAddr,
        announceAddresses,
        swarmKey,
        memory: plan,
        zone,
        nodeName,
        flights: options.flightsEnabled,
      },
    ),
  );
  const onChange = (next: readonly string[]) => {
    announceAddresses = next;
    router?.announce(next);
  };
  const first = announceAddresses;
  void followAnnounceAddresses({ clock, logger }, { nodeIp, listenHost, first, onChange, signal });
  // The chart gives a pod with a network of its own the address of its host.
  if (nodeIp !== undefined && !isPod) void checkNodeIp({ clock, logger }, { nodeIp, signal });
  const isOwn = (address: string): boolean => {
    const ip = canonicalIp(address) ?? address;
    return ip === nodeIp || announceAddresses.includes(ip) || ip.startsWith('127.') || ip === '::1';
  };
  const isMember = (address: string) => membership.standing(canonicalIp(address) ?? address) === 'member';
  const isFavoured = (address: string): boolean => isOwn(address) || isMember(address);
  return { router, isOwn, isFavoured };
}
