import { hideCanaries } from '../canary/hide-canaries.ts';
import { createContainerdStore } from '../containerd/containerd-store.ts';
import { type BlobVerifier, createBlobVerifier } from '../integrity/blob-verifier.ts';
import { createFileHasher } from '../integrity/file-hasher.ts';
import { withoutDamaged } from '../integrity/without-damaged.ts';
import { createNodeTransport } from './create-node-transport.ts';
import type { Logger } from '../observe/log.ts';
import { createMetrics } from '../observe/metrics.ts';
import { createPullLog } from '../observe/pull-log.ts';
import { createPeerTraffic } from '../observe/peer-traffic.ts';
import { createTrafficLog } from '../observe/traffic-log.ts';
import { createTransferLog } from '../observe/transfer-log.ts';
import type { Digest } from '../oci/digest.ts';
import { formatName } from '../oci/reference.ts';
import { createRegistryApp } from '../registry/registry-app.ts';
import { createRegistryShares, fileChunkBytes, manifestCacheBytes } from '../registry/registry-shares.ts';
import { createUploads } from '../registry/uploads.ts';
import { createAdvertiser } from '../routing/advertiser.ts';
import { createPrefetch } from '../routing/prefetch.ts';
import { createZoneOutages } from '../routing/zone-outages.ts';
import { readBasicAuth } from '../runtime/basic-auth.ts';
import { build } from '../runtime/build.ts';
import { systemClock as clock } from '../runtime/clock.ts';
import { readMemoryLimit } from '../runtime/memory/memory-limit.ts';
import { planMemory, uncountedShare } from '../runtime/memory/memory-plan.ts';
import { createMemoryRoom, memoryReader } from '../runtime/memory/memory-room.ts';
import { aborted } from '../runtime/abortable.ts';
import { parseListenAddress } from '../runtime/listen-address.ts';
import { hostNodeName } from '../runtime/node-name.ts';
import { shareResult } from '../runtime/share-result.ts';
import { createTaskGroup } from '../runtime/task-group.ts';
import { trimMemory } from '../runtime/trim-memory.ts';
import { parseImageFilter } from '../store/image-filter.ts';
import { createSharingPolicy } from '../store/sharing-policy.ts';
import { createTransfer, type Transfer } from '../transfer/transfer.ts';
import { createMetricsApp } from '../web/metrics-app.ts';
import { createNodeCanary } from './create-canary.ts';
import { createLive } from './create-live.ts';
import { createWhy } from './create-why.ts';
import { createNodeFlights } from './create-node-flights.ts';
import { createDoctorWatch } from './doctor-watch.ts';
import { findZone } from './find-zone.ts';
import { hasContent } from './has-content.ts';
import { listen } from './listen.ts';
import type { NodeProcess } from './node-process.ts';
import { startRouter } from './start-router.ts';
import type { RegistryOptions } from './registry-options.ts';

/**
 * How long running responses may take to finish after SIGTERM. Short, since the next pod waits for this one's
 * ports, and a layer that is broken off goes on elsewhere from the byte where it stopped.
 */
const SHUTDOWN_GRACE_MS = 5 * 1000;
/** The same for the listeners that only give short answers. */
const SHORT_SHUTDOWN_GRACE_MS = 1000;
/** An answer with the metrics has some 100 KB, a copy for each client: clients that do not read it would hold 100 MiB. */
const MAX_METRICS_CONNECTIONS = 64;
/** What is asked there in a body: at most 50 names of images. */
const MAX_QUESTION_BYTES = 32 * 1024;
/** Nobody reads there for that long: a page that is not looked at any more must not hold what it was sent. */
const METRICS_STALL_TIMEOUT_MS = 60 * 1000;

/**
 * Runs the mirror until the signal aborts: the composition root, which alone knows containerd, p2p and registry.
 * Rejects when something cannot be started (a port that is taken, an unreadable identity).
 */
export async function runRegistry(
  options: RegistryOptions,
  context: {
    readonly logger: Logger;
    readonly signal: AbortSignal;
    /** True in a pod of Kubernetes. */
    readonly isPod: boolean;
  },
): Promise<void> {
  const { logger, signal, isPod } = context;
  await using running = new AsyncDisposableStack();
  const metrics = createMetrics(build);
  logger.info('starting', { ...build });
  try {
    const limitBytes = await readMemoryLimit();
    const plan = planMemory(limitBytes);
    const roomBytes = limitBytes ?? plan.limitBytes;
    const readUse = memoryReader(roomBytes);
    const readMemory = () => ({ usedBytes: readUse(), limitBytes });
    metrics.memoryFrom(readMemory);
    const room = createMemoryRoom({ nowMs: () => clock.nowMs(), readUse }, roomBytes);
    await compose({ options, logger, metrics, signal, isPod, running, plan, room, readMemory });
  } catch (error) {
    // Stopped while it was starting.
    if (error !== signal.reason || !signal.aborted) throw error;
  }
  logger.info('stopping');
}

async function compose(shared: NodeProcess): Promise<void> {
  const { options, logger, metrics, signal, running, plan, room, readMemory } = shared;
  const zone = await findZone(options, { logger, signal });
  const nodeName = options.nodeName ?? hostNodeName();
  const authorization = await readBasicAuth(options.basicAuthDir);
  const { mirroredRegistries } = options;
  // Transfers need the router; what failed before them is not held against anybody.
  let transfer: Transfer | undefined;
  const { router, isOwn, isFavoured } = await startRouter(shared, {
    zone,
    nodeName,
    onPeerReturned: (peerId) => transfer?.peerReturned(peerId),
  });
  metrics.routing.figuresFrom(() => router.stats());
  // 1,000 peers take 50 ms, and whoever reaches the metrics address may ask.
  const peers = shareResult(clock, () => router.peers());
  const seenRouter = { ...router, peers };
  metrics.peersFrom(async () => (await peers()).length);
  const doctor = createDoctorWatch({ logger, metrics, clock }, options);
  const canary = createNodeCanary({ metrics, clock, logger }, options, signal);
  if (canary !== undefined) running.use(canary);
  let isStoreConnected = false;
  const onConnectionChange = (up: boolean) => {
    isStoreConnected = up;
    metrics.storeConnection(up);
    // It may have been restarted with another configuration.
    if (up) doctor.again();
    if (up) canary?.containerdUp();
  };
  const hasher = createFileHasher();
  running.defer(() => hasher.close());
  const store = running.use(
    createContainerdStore(
      {
        clock,
        logger,
        onConnectionChange,
        onCommit: (digest, { stamp }) => verifier.committed(digest, stamp),
      },
      {
        socketPath: options.containerdSock,
        namespace: options.containerdNamespace,
        contentPath: options.containerdContentPath,
        followsDownloads: options.flightsEnabled,
      },
    ),
  );
  const verifier: BlobVerifier = createBlobVerifier(
    {
      hasher,
      store,
      onDamaged(blob) {
        logger.error(
          'A blob of this node is damaged on the disk: it is not served any more. Remove the image and pull it again',
          { ...blob, images: store.references(blob.digest).map(formatName) },
        );
        advertiser.reconsider(blob.digest);
      },
      onRepaired: (digest) => advertiser.reconsider(digest),
      onVerified: metrics.blobVerified,
      clock,
      logger,
    },
    { scrubBytesPerSecond: options.scrubBytesPerSecond },
  );
  metrics.damagedBlobsFrom(() => verifier.damaged().length);
  const served = withoutDamaged(store, verifier);
  metrics.registriesFrom((name) => mirroredRegistries?.has(name) === true || store.hasRegistry(name));
  const policy = hideCanaries(
    createSharingPolicy(
      { store, clock },
      { registries: mirroredRegistries, filters: options.registryFilters.map(parseImageFilter) },
    ),
    { store, isCanaryContent: (digest) => canary?.isCanaryContent(digest) === true },
  );
  const advertiser = createAdvertiser(
    { store, router, isHere: (key) => hasContent(store, key), logger, clock },
    {
      shouldAdvertise: (item) =>
        item.kind === 'tag'
          ? policy.sharesName(item.tag)
          : policy.sharesDigest(item.key) && !verifier.isDamaged(item.key),
    },
  );
  metrics.advertisedFrom(() => advertiser.counts());
  const transport = createNodeTransport(
    { logger },
    {
      isKernelOn: options.kernelTransportEnabled,
      memoryShare: uncountedShare(plan),
      fileBufferBudgetBytes: fileChunkBytes(plan),
      room,
    },
  );
  running.defer(() => transport.close());
  metrics.kernelFrom(() => transport.kernelFigures());
  const outages = createZoneOutages(clock);
  const flights = createNodeFlights(
    { network: router.flights, store: served, outages, clock, logger },
    options,
  );
  // Others are told of this node's downloads for as long as bodies are drained.
  const flightsEnd = new AbortController();
  running.defer(() => flightsEnd.abort());
  if (flights !== undefined) metrics.flightsFrom(() => flights.count());
  transfer = createTransfer(
    {
      transport,
      router,
      flights,
      outages,
      refused: { store, ingests: store.ingests, hasher },
      clock,
      logger,
      observer: metrics,
    },
    {
      registryPort: parseListenAddress(options.registryAddr).port,
      resolveTimeoutMs: options.mirrorResolveTimeoutMs,
      resolveRetries: options.mirrorResolveRetries,
      flightsMaxHoldMs: options.flightsMaxHoldMs,
      zone,
      nodeName,
      authorization,
    },
  );
  const transfers = createTransferLog();
  const pulls = createPullLog();
  const traffic = { byHour: createTrafficLog(), byPeer: createPeerTraffic() };
  const engine = transfer;
  const nodeFlights =
    flights && ((digest?: Digest) => ({ maxHoldMs: options.flightsMaxHoldMs, ...flights.report(digest) }));
  const metricsApp = createMetricsApp(
    {
      metrics,
      advertised: () => advertiser.counts(),
      advertisedTags: () => advertiser.tags(),
      transfers,
      pulls,
      router: seenRouter,
      metricsPort: parseListenAddress(options.metricsAddr).port,
      flights: nodeFlights,
      live: createLive({
        ...traffic,
        router: seenRouter,
        viewOf: (peer) => engine.viewOf(peer),
        pulls,
        flights: nodeFlights,
        isStoreConnected: () => isStoreConnected,
        canary: canary?.ask,
        doctor,
        verifier,
        readMemory,
      }),
      why: createWhy(
        { store, policy, router: seenRouter, transfer, isStoreConnected: () => isStoreConnected, clock },
        options,
      ),
      bootstrap: () => router.bootstrapState(),
      hasLocally: (key) => hasContent(served, key),
      canary: canary?.ask,
      clock,
      logger,
    },
    { debugWebEnabled: options.debugWebEnabled },
    signal,
  );
  await listen(
    shared,
    {
      name: 'metrics',
      address: options.metricsAddr,
      graceMs: SHORT_SHUTDOWN_GRACE_MS,
      maxConnections: MAX_METRICS_CONNECTIONS,
      maxBodyBytes: MAX_QUESTION_BYTES,
      clientStallTimeoutMs: METRICS_STALL_TIMEOUT_MS,
      transport,
    },
    metricsApp,
  );
  const { maxUploads, maxUploadBytesPerSecond: bytesPerSecond } = options;
  const isCapped = maxUploads > 0 || bytesPerSecond > 0;
  const uploads = isCapped ? createUploads(clock, { maxUploads, bytesPerSecond }) : undefined;
  if (uploads !== undefined) metrics.uploadsFrom(() => uploads.running);
  const registry = createRegistryApp(
    {
      store: served,
      verifier,
      transfer,
      policy: {
        ...policy,
        noteRequest(name, digest) {
          policy.noteRequest(name, digest);
          if (digest !== undefined) advertiser.reconsider(digest);
        },
      },
      ready: () => router.ready(),
      readyNote: () => canary?.note(),
      canary,
      contentMissing: (key) => advertiser.contentMissing(key),
      prefetch: createPrefetch({ router, clock }, signal),
      transfers: options.debugWebEnabled ? transfers : undefined,
      traffic: options.debugWebEnabled ? traffic : undefined,
      pulls: options.debugWebEnabled
        ? {
            ...pulls,
            ended(pull, agoMs) {
              pulls.ended(pull, agoMs);
              traffic.byHour.add({ upstreamBytes: pull.upstreamBytes });
            },
          }
        : undefined,
      shares: createRegistryShares(clock, plan, room),
      uploads,
      isOwn,
      isFavoured,
      metrics,
      logger,
      clock,
    },
    { mirroredRegistries, authorization, manifestCacheBytes: manifestCacheBytes(plan) },
  );
  await listen(
    shared,
    { name: 'registry', address: options.registryAddr, graceMs: SHUTDOWN_GRACE_MS, transport },
    registry,
  );

  const tasks = createTaskGroup(signal);
  tasks.run((stop) => advertiser.run(stop));
  tasks.run((stop) => doctor.run(stop));
  if (canary !== undefined) tasks.run((stop) => canary.watch(stop));
  tasks.run((stop) => verifier.run(stop));
  if (flights !== undefined) {
    const flying = flights.run(flightsEnd.signal);
    tasks.run(async (stop) => Promise.race([flying, aborted(stop)]));
  }
  tasks.run((stop) => trimMemory({ clock, isIdle: () => !metrics.isServing() }, stop));
  tasks.run((stop) => aborted(stop));
  await tasks.wait();
}
