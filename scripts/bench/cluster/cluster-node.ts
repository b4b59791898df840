/**
 * A node of the cluster bench: what `spegel registry` is made of, over a store of bare digests instead of containerd,
 * with a socket on which the bench gives its orders. Compiled like the binary.
 */
import { createTrustingVerifier } from '../../../src/integrity/testing/trusting-verifier.ts';
import { createBootstrapper } from '../../../src/daemon/create-bootstrapper.ts';
import { serveBootstrap } from '../../../src/daemon/serve-bootstrap.ts';
import type { RequestHandler } from '../../../src/http/http-server.ts';
import { createHttpServer } from '../../../src/http/buffered-http-server.ts';
import { createBufferedClient } from '../../../src/http/buffered-client.ts';
import { createLogger } from '../../../src/observe/log.ts';
import { createMetrics } from '../../../src/observe/metrics.ts';
import { createPeerTraffic } from '../../../src/observe/peer-traffic.ts';
import { createPullLog } from '../../../src/observe/pull-log.ts';
import { createTrafficLog } from '../../../src/observe/traffic-log.ts';
import { createTransferLog } from '../../../src/observe/transfer-log.ts';
import { isDigest } from '../../../src/oci/digest.ts';
import { findAnnounceAddresses } from '../../../src/p2p/addresses/find-announce-addresses.ts';
import { loadIdentity } from '../../../src/p2p/identity.ts';
import { createP2pRouter } from '../../../src/p2p/p2p-router.ts';
import type { P2pRouter } from '../../../src/p2p/p2p-router-contract.ts';
import { createRegistryApp } from '../../../src/registry/registry-app.ts';
import { createRegistryShares, manifestCacheBytes } from '../../../src/registry/registry-shares.ts';
import { planMemory } from '../../../src/runtime/memory/memory-plan.ts';
import { createAdvertiser } from '../../../src/routing/advertiser.ts';
import { createPrefetch } from '../../../src/routing/prefetch.ts';
import { build } from '../../../src/runtime/build.ts';
import { systemClock as clock } from '../../../src/runtime/clock.ts';
import { trimMemory } from '../../../src/runtime/trim-memory.ts';
import { createSharingPolicy } from '../../../src/store/sharing-policy.ts';
import { createTransfer, type Transfer } from '../../../src/transfer/transfer.ts';
import { createBootstrapApp } from '../../../src/web/bootstrap-app.ts';
import { createMetricsApp } from '../../../src/web/metrics-app.ts';
import { benchKeys } from './bench-keys.ts';
import { createBenchStore } from './bench-store.ts';
import { serveControl } from './control.ts';
import { type NodeCommands, type NodeConfig, NODE_PORTS } from './node-commands.ts';
import { createNodeOrders } from './node-orders.ts';

const RESOLVE_TIMEOUT_MS = 20;
const RESOLVE_RETRIES = 3;
const FLIGHTS_MAX_HOLD_MS = 25_000;

const config = JSON.parse(process.argv[2] ?? '{}') as NodeConfig;
const logger = createLogger({ level: 'info', write: (line) => void process.stderr.write(line) });
const metrics = createMetrics(build);
const routerAddr = `:${NODE_PORTS.router}`;

/** Until the process is killed. */
const running = new AbortController();
let starting: P2pRouter | undefined;
let transfer: Transfer | undefined;
await serveBootstrap(
  { logger, clock, handler: createBootstrapApp(async () => starting?.bootstrapDocuments(), logger) },
  { address: `:${NODE_PORTS.bootstrap}` },
);
const router = await createP2pRouter(
  {
    logger,
    clock,
    bootstrapper: createBootstrapper({
      bootstrapKind: 'http',
      httpBootstrapCertDir: undefined,
      httpBootstrapPeer: config.bootstrapPeer,
      httpBootstrapUrl: undefined,
      routerAddr,
      staticBootstrapPeers: [],
    }),
    privateKey: await loadIdentity(),
    observer: metrics.routing,
    onPeerReturned: (peerId) => transfer?.peerReturned(peerId),
  },
  {
    listenAddress: routerAddr,
    announceAddresses: await findAnnounceAddresses({ clock }, { nodeIp: config.nodeIp }),
  },
);
starting = router;
metrics.routing.figuresFrom(() => router.stats());
metrics.peersFrom(async () => (await router.peers()).length);
const store = await createBenchStore(config.contentFile, benchKeys(config.name, config.keys));
const hasLocally = async (key: string) => isDigest(key) && (await store.stat(key)) !== undefined;
const policy = createSharingPolicy({ store, clock }, { registries: undefined, filters: [] });
const advertiser = createAdvertiser({ store, router, isHere: hasLocally, logger, clock });
metrics.advertisedFrom(() => advertiser.counts());
transfer = createTransfer(
  { transport: createBufferedClient(), router, clock, logger, observer: metrics },
  {
    registryPort: NODE_PORTS.registry,
    resolveTimeoutMs: RESOLVE_TIMEOUT_MS,
    resolveRetries: RESOLVE_RETRIES,
    flightsMaxHoldMs: FLIGHTS_MAX_HOLD_MS,
    authorization: undefined,
  },
);
const listen = async (port: number, handler: RequestHandler) =>
  createHttpServer({ address: `:${port}`, handler, onError: (error) => logger.error('listener', { error }) });
const plan = planMemory();
const transfers = createTransferLog();
const pulls = createPullLog();
const engine = transfer;
const startedAt = new Date().toISOString();
await listen(
  NODE_PORTS.metrics,
  createMetricsApp(
    {
      metrics,
      advertised: () => advertiser.counts(),
      advertisedTags: () => advertiser.tags(),
      metricsPort: NODE_PORTS.metrics,
      transfers,
      pulls,
      live: {
        router,
        viewOf: (peer) => engine.viewOf(peer),
        byPeer: createPeerTraffic(),
        byHour: createTrafficLog(),
        pulls,
        health: () => ({
          version: build.version,
          startedAt,
          isStoreConnected: true,
          damagedBlobs: 0,
          memory: {},
        }),
        wallClockMs: Date.now,
        clock,
      },
      why: async () => {
        throw new Error('This node explains nothing');
      },
      router,
      bootstrap: () => router.bootstrapState(),
      hasLocally,
      clock,
      logger,
    },
    { debugWebEnabled: true },
    running.signal,
  ),
);
await listen(
  NODE_PORTS.registry,
  createRegistryApp(
    {
      verifier: createTrustingVerifier(),
      store,
      transfer,
      policy,
      ready: () => router.ready(),
      contentMissing: (key) => advertiser.contentMissing(key),
      prefetch: createPrefetch({ router, clock }, running.signal),
      transfers,
      shares: createRegistryShares(clock, plan),
      isFavoured: () => true,
      metrics,
      logger,
      clock,
    },
    {
      mirroredRegistries: undefined,
      authorization: undefined,
      manifestCacheBytes: manifestCacheBytes(plan),
    },
  ),
);
serveControl<NodeCommands>(config.controlSocket, createNodeOrders({ store, router, advertiser }, config));
await Promise.all([
  advertiser.run(running.signal),
  trimMemory({ clock, isIdle: () => !metrics.isServing() }, running.signal),
]);
