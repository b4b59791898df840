import { createAssignRecords } from './assign-records.ts';
import { createDelayedRounds } from './delayed-rounds.ts';
import { createDelivery } from './delivery.ts';
import { createOutboxes } from './outboxes.ts';
import { createPeerChanges } from './peer-changes.ts';
import { createProvidedKeys, type ProvidedKey } from './provided-keys.ts';
import { runReprovideLoop } from './reprovide-loop.ts';
import type { Reprovider, ReproviderDeps, ReproviderOptions } from './reprovider-contract.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
/** How often this node's records are provided again: before they fade, with room for one slow round. */
const REPROVIDE_INTERVAL_MS = 15 * MINUTE_MS;
/** Peers that get a new record at once: more than a lookup asks, so that it is findable when they have it. */
export const EARLY_REPLICAS = 5;
/**
 * The others of the k get it after so long, with what else has come: the blobs of one pull come one after the other.
 */
const LATE_REPLICAS_DELAY_MS = 400;

/**
 * Records go to each peer in bulk instead of one walk through the DHT for each key. Which peers are closest is read
 * from the table of peers, which knows all nodes of a cluster but the largest clusters. New keys go to the closest few
 * peers at once, to the others of the k a moment later. A node that is learned of later gets the records that belong to
 * it then. All keys are provided again every 15 minutes, some at a time.
 */
export function createReprovider(
  { network, logger, clock, observer, random = Math.random }: ReproviderDeps,
  options: ReproviderOptions,
): Reprovider {
  const {
    replication,
    earlyReplicas = EARLY_REPLICAS,
    lateReplicasDelayMs = LATE_REPLICAS_DELAY_MS,
    reprovideIntervalMs: intervalMs = REPROVIDE_INTERVAL_MS,
    sendRetryInitialMs,
  } = options;
  const stopped = new AbortController();
  const { signal } = stopped;
  const startShare = random();
  const running = new Set<Promise<void>>();
  const inBackground = (work: Promise<void>) => {
    const tracked = work.catch((error: unknown) => {
      if (!signal.aborted) logger.warn('Reprovider failed', { error });
    });
    running.add(tracked);
    void tracked.finally(() => running.delete(tracked));
  };

  const keys = createProvidedKeys({ network, clock, startShare }, { intervalMs });
  const outboxes = createOutboxes(
    { network, keys, clock, random, observer, inBackground },
    { sendRetryInitialMs },
    signal,
  );
  const assign = createAssignRecords({ keys, outboxes });
  const changes = createPeerChanges(
    { network, keys, outboxes, assign, clock, inBackground, signal },
    options,
  );
  const closestTo = ({ position }: ProvidedKey) => network.closestPeers(position, replication);
  /** Keys whose farther replicas are still to be sent. */
  const late = new Set<string>();
  const startLate = createDelayedRounds(
    { clock, inBackground, signal },
    {
      delayMs: lateReplicasDelayMs,
      hasWork: () => late.size > 0,
      async work() {
        const batch = [...late];
        late.clear();
        await assign(batch, (key) => closestTo(key).slice(earlyReplicas));
      },
    },
  );
  const provideAgain = async (due: readonly string[]) => assign(due, closestTo);
  inBackground(
    runReprovideLoop({ keys, provideAgain, logger, clock, observer }, { intervalMs, startShare }, signal),
  );

  return {
    async provide(added, callSignal) {
      callSignal?.throwIfAborted();
      signal.throwIfAborted();
      keys.add(added);
      const delivery = createDelivery();
      await assign(added, (key) => closestTo(key).slice(0, earlyReplicas), delivery);
      if (network.peerCount() > earlyReplicas) {
        for (const key of added) late.add(key);
        startLate();
      }
      await delivery.settled(callSignal);
    },
    stop: (removed) => keys.remove(removed),
    peerJoined: (peerId) => changes.peerJoined(peerId),
    peerNamed: (peerId) => changes.peerNamed(peerId),
    peerLeft: (peerId, position) => changes.peerLeft(peerId, position),
    peerParted: (peerId) => changes.peerParted(peerId),
    isSendingTo: (peerId) => outboxes.has(peerId) || changes.isExpecting(peerId),
    stats: () => ({ keys: keys.size, waiting: outboxes.waiting() }),
    async [Symbol.asyncDispose]() {
      stopped.abort(new Error('Reprovider has stopped'));
      await Promise.all(running);
    },
  };
}
