import type { Logger } from '../../observe/log.ts';
import { createBackoff } from '../../runtime/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';
import { createDeadline } from '../../runtime/deadline.ts';
import { abortable } from '../../runtime/abortable.ts';
import { createSemaphore } from '../../runtime/semaphore.ts';
import { contentMultihash, keyspacePosition } from '../wire/content-key.ts';
import { createDelivery, type Delivery } from './delivery.ts';
import { isCloserTo } from '../wire/keyspace-distance.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
/** How often our own records are provided again: before they fade, with room for one slow round. */
const REPROVIDE_INTERVAL_MS = 15 * MINUTE_MS;
/** Records that are sent to one peer before its answer is awaited: some 55 KB, so that a lookup does not wait long behind them. */
export const RECORDS_PER_SEND = 500;
/** Peers that records are sent to at a time. */
export const CONCURRENT_SENDS = 16;
/** One that does not take them by then leaves its place to the next: those who hang must not keep all others waiting. */
export const SEND_PLACE_MS = 1 * SECOND_MS;
/** So many of those at most: where all are busy more at a time would cost them more of what they lack. */
export const MAX_SLOW_SENDS = 64;
/** Tries per peer that is not connected before it counts as gone. When it comes back it gets its records as a new peer. */
export const SEND_ATTEMPTS = 3;
/** First wait before a peer is tried again. */
const SEND_RETRY_INITIAL_MS = 250;
/** Longest wait before a peer is tried again. */
const SEND_RETRY_MAX_MS = 5 * SECOND_MS;
/** New peers are gathered for this long before they get records, so that a starting cluster costs few rounds. */
export const NEW_PEER_DELAY_MS = 300;
/** Peers that get a new record at once: more than a lookup asks, so that it is findable when they have it. */
export const EARLY_REPLICAS = 5;
/** The others of the k get it after so long, with what else has come: the blobs of one pull come one after the other. */
const LATE_REPLICAS_DELAY_MS = 400;
/** A peer that was only named gets the records that belong to it so much later: that takes a connection, and it may come by itself. */
const NAMED_PEER_DELAY_MS = 10 * SECOND_MS;
/** A peer that is gone for longer will not be back with its records: a restart takes less. */
const LEFT_PEER_DELAY_MS = MINUTE_MS;
/** Parts in which all keys are provided again, spread over the interval, at most: each is a message to all who are close. */
const MAX_SWEEP_PARTS = 15;
/** Keys that are worth a part of their own: some hundredths of a second of work for all who get them together. */
const KEYS_PER_SWEEP_PART = 250;

/** The network as providing sees it. Peers are named by any string, the same one each time. */
export interface ReproviderNetwork {
  /** The `count` known peers that are closest to the place in the keyspace, the closest first. */
  closestPeers(position: Uint8Array, count: number): readonly string[];
  /** True if the peer is one of those. */
  isAmongClosest(peerId: string, position: Uint8Array, count: number): boolean;
  /** The place of a peer in the keyspace, if it is known. */
  positionOf(peerId: string): Uint8Array | undefined;
  /** How many peers are known. With k or fewer, all are among the closest of every key. */
  peerCount(): number;
  /** Connects to the peer, when its turn has come. Rejects when it cannot be reached. */
  connect(peerId: string): Promise<void>;
  /**
   * Gives the peer, which is connected, records that say that this node provides the multihashes; resolves once it has
   * taken them.
   */
  send(peerId: string, multihashes: readonly Uint8Array[], signal: AbortSignal): Promise<void>;
  /** Keeps or renews this node's own record, so that it answers for itself. */
  keepOwn(multihash: Uint8Array): void;
  /** Forgets this node's own record. */
  dropOwn(multihash: Uint8Array): void;
  /** True while there is a connection to the peer: then it is there, or others find out that it is not. */
  isConnected(peerId: string): boolean;
  /** Called when a peer did not take records after several tries, and is not connected. */
  gone(peerId: string, cause: unknown): void;
}

/** Gets what providing does, for metrics. */
export interface ReproviderObserver {
  /** Records were taken by a peer. */
  recordsSent(count: number): void;
  /** An interval is over in which so many keys were provided again, in so many ms of work; `lagMs` after they were due at most. */
  sweepEnded(sweep: { readonly keys: number; readonly busyMs: number; readonly lagMs: number }): void;
}

/** What createReprovider needs. */
export interface ReproviderDeps {
  readonly network: ReproviderNetwork;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly observer?: ReproviderObserver;
  /** A number from 0 up to, not including, 1. Default Math.random. */
  readonly random?: () => number;
}

/** Tunables, for tests. */
export interface ReproviderOptions {
  readonly replication: number;
  /** Peers that get a new record at once; the others of the k get it with what else comes meanwhile. */
  readonly earlyReplicas?: number;
  readonly lateReplicasDelayMs?: number;
  readonly reprovideIntervalMs?: number;
  readonly sendRetryInitialMs?: number;
  readonly newPeerDelayMs?: number;
  readonly namedPeerDelayMs?: number;
  readonly leftPeerDelayMs?: number;
}

/** Keeps the records of this node's keys at the peers that are closest to them. */
export interface Reprovider extends AsyncDisposable {
  /**
   * Starts to provide the keys. Resolves when each record has been taken by at least one peer (or no peer is
   * known yet: they get it when they come); rejects when every peer refused. Either way the keys are kept.
   */
  provide(keys: readonly string[], signal?: AbortSignal): Promise<void>;
  /** Stops reprovider. Unknown keys are no error. */
  stop(keys: readonly string[]): void;
  /** Tells of a peer that was not known before: it gets the records that belong to it. */
  peerJoined(peerId: string): void;
  /** Tells of a peer that somebody has named: it gets the records that belong to it, too, but not at once. */
  peerNamed(peerId: string): void;
  /** Tells of a peer that is gone: if it does not come back soon, those next to it get the records that it had. */
  peerLeft(peerId: string, position: Uint8Array): void;
  /** Tells of a peer that has no connection to this node any more, and is there: what belongs to it, and was not sent yet, is sent later. */
  peerParted(peerId: string): void;
  /** True while records wait to be sent to the peer, or are being sent. */
  isSendingTo(peerId: string): boolean;
  /** How many keys are provided, and how many records wait to be sent. */
  stats(): { readonly keys: number; readonly waiting: number };
}

/** A key that is provided. */
interface Entry {
  readonly multihash: Uint8Array;
  readonly position: Uint8Array;
  /** When it is provided again. */
  dueMs: number;
}

/** What waits to be sent to one peer: keys, each with the calls that wait for it to be taken. */
type Outbox = Map<string, readonly Delivery[]>;
/** One for all: there are as many as records that wait. */
const NOBODY: readonly Delivery[] = [];

/** Peers of which it is asked one by one whether they are among the closest to a key. */
const FEW_PEERS = 8;
/** How many keys are placed before other work gets its turn. */
const KEYS_PER_TURN = 200;

/**
 * Records go to each peer in bulk instead of one walk through the DHT per key: which peers are closest is read from
 * the table of peers, which knows all nodes of a cluster but the largest ones. New keys go to the closest few at once,
 * to the others of the k a moment later. A node that is learned of later gets the records that belong to it then, and
 * all keys are provided again every 15 minutes, some at a time.
 */
export function createReprovider(
  { network, logger, clock, observer, random = Math.random }: ReproviderDeps,
  options: ReproviderOptions,
): Reprovider {
  const {
    replication,
    earlyReplicas = EARLY_REPLICAS,
    lateReplicasDelayMs = LATE_REPLICAS_DELAY_MS,
    reprovideIntervalMs = REPROVIDE_INTERVAL_MS,
    sendRetryInitialMs = SEND_RETRY_INITIAL_MS,
    newPeerDelayMs = NEW_PEER_DELAY_MS,
    namedPeerDelayMs = NAMED_PEER_DELAY_MS,
    leftPeerDelayMs = LEFT_PEER_DELAY_MS,
  } = options;
  const entries = new Map<string, Entry>();
  const outboxes = new Map<string, Outbox>();
  /** Keys whose farther replicas are still to be told. */
  const late = new Set<string>();
  const newPeers = new Set<string>();
  /** Those who were only named. */
  const namedPeers = new Set<string>();
  const leftPeers = new Map<string, Uint8Array>();
  const slots = createSemaphore(CONCURRENT_SENDS);
  /** Sends that have left their place. */
  let slowSends = 0;
  const stopped = new AbortController();
  const running = new Set<Promise<void>>();
  const startShare = random();

  const inBackground = (work: Promise<void>) => {
    const tracked = work.catch((error: unknown) => {
      if (!stopped.signal.aborted) logger.warn('Reprovider failed', { error });
    });
    running.add(tracked);
    void tracked.finally(() => running.delete(tracked));
  };
  /** Runs the work after the delay while there is any, one round at a time. */
  const createRounds = (delayMs: number, hasWork: () => boolean, work: () => Promise<void>) => {
    let isRunning = false;
    const run = async () => {
      try {
        while (hasWork()) {
          await clock.sleep(delayMs, stopped.signal);
          await work();
        }
      } finally {
        isRunning = false;
      }
    };
    return () => {
      if (isRunning) return;
      isRunning = true;
      inBackground(run());
    };
  };

  const enqueue = (peerId: string, keys: readonly string[], delivery?: Delivery) => {
    const waiting = outboxes.get(peerId);
    const outbox: Outbox = waiting ?? new Map();
    for (const key of keys) {
      const earlier = outbox.get(key) ?? NOBODY;
      outbox.set(key, delivery === undefined ? earlier : [...earlier, delivery]);
    }
    if (waiting !== undefined) return;
    outboxes.set(peerId, outbox);
    inBackground(empty(peerId, outbox));
  };

  /** Sends when there is a place among those who do. */
  const send = async (peerId: string, multihashes: readonly Uint8Array[]) => {
    let sent = Promise.resolve();
    await slots.use(async () => {
      stopped.signal.throwIfAborted();
      sent = network.send(peerId, multihashes, stopped.signal);
      using place = createDeadline(clock, SEND_PLACE_MS, stopped.signal);
      await abortable(sent, place.signal).catch(() => {});
      if (slowSends >= MAX_SLOW_SENDS) await sent.catch(() => {});
    });
    slowSends++;
    await sent.finally(() => slowSends--);
  };
  const empty = async (peerId: string, outbox: Outbox) => {
    const backoff = createBackoff({
      initialMs: sendRetryInitialMs,
      maxMs: SEND_RETRY_MAX_MS,
      random,
    });
    let failures = 0;
    try {
      while (outbox.size > 0) {
        const batch = firstOf(outbox, RECORDS_PER_SEND);
        const multihashes = batch.flatMap(([key]) => entries.get(key)?.multihash ?? []);
        try {
          // Not in a slot: those who are connected need not wait behind dials.
          await network.connect(peerId);
          await send(peerId, multihashes);
        } catch (cause) {
          stopped.signal.throwIfAborted();
          failures++;
          for (const [key, deliveries] of batch) {
            for (const delivery of deliveries) delivery.refused(key, cause);
            const later = (outbox.get(key) ?? []).slice(deliveries.length);
            // What came meanwhile waits for an answer, also for a key that is not provided any more.
            if (entries.has(key) || later.length > 0) outbox.set(key, later);
            else outbox.delete(key);
          }
          if (failures >= SEND_ATTEMPTS && !network.isConnected(peerId)) {
            network.gone(peerId, cause);
            return;
          }
          await clock.sleep(backoff.nextMs(), stopped.signal);
          continue;
        }
        failures = 0;
        observer?.recordsSent(multihashes.length);
        for (const [key, deliveries] of batch) {
          for (const delivery of deliveries) delivery.taken(key);
          const later = (outbox.get(key) ?? []).slice(deliveries.length);
          if (later.length === 0) outbox.delete(key);
          else outbox.set(key, later);
        }
      }
    } finally {
      outboxes.delete(peerId);
      for (const [key, deliveries] of outbox) {
        for (const delivery of deliveries) delivery.refused(key, new Error('The peer is gone'));
      }
    }
  };

  const closestTo = ({ position }: Entry) => network.closestPeers(position, replication);
  /** Sends the keys to those peers that `choose` picks for each. */
  const place = async (
    keys: Iterable<string>,
    choose: (entry: Entry) => readonly string[],
    delivery?: Delivery,
  ) => {
    const keysByPeer = new Map<string, string[]>();
    let count = 0;
    for (const key of keys) {
      const entry = entries.get(key);
      if (entry === undefined) continue;
      for (const peerId of choose(entry)) {
        const list = keysByPeer.get(peerId);
        if (list === undefined) keysByPeer.set(peerId, [key]);
        else list.push(key);
      }
      if (++count % KEYS_PER_TURN === 0) await new Promise(setImmediate);
    }
    delivery?.expect(keysByPeer);
    for (const [peerId, list] of keysByPeer) enqueue(peerId, list, delivery);
  };

  const tellLate = createRounds(
    lateReplicasDelayMs,
    () => late.size > 0,
    async () => {
      const keys = [...late];
      late.clear();
      await place(keys, (entry) => closestTo(entry).slice(earlyReplicas));
    },
  );
  const tellThem = async (peers: Set<string>) => {
    const batch = new Set(peers);
    peers.clear();
    if (network.peerCount() <= replication) {
      for (const peerId of batch) if (entries.size > 0) enqueue(peerId, [...entries.keys()]);
    } else {
      // Of few it is quickly told whether they are among the closest.
      const few = batch.size <= FEW_PEERS ? [...batch] : undefined;
      await place(
        entries.keys(),
        (entry) =>
          few?.filter((peerId) => network.isAmongClosest(peerId, entry.position, replication)) ??
          closestTo(entry).filter((peerId) => batch.has(peerId)),
      );
    }
  };
  const tellNewPeers = createRounds(
    newPeerDelayMs,
    () => newPeers.size > 0,
    async () => tellThem(newPeers),
  );
  const tellNamedPeers = createRounds(
    namedPeerDelayMs,
    () => namedPeers.size > 0,
    async () => tellThem(namedPeers),
  );
  const peerNamed = (peerId: string) => {
    if (entries.size === 0) return;
    namedPeers.add(peerId);
    tellNamedPeers();
  };
  const replaceLeftPeers = createRounds(
    leftPeerDelayMs,
    () => leftPeers.size > 0,
    async () => {
      const gone = [...leftPeers.values()];
      leftPeers.clear();
      if (network.peerCount() < replication) return;
      await place(entries.keys(), (entry) => {
        const { position } = entry;
        const closest = closestTo(entry);
        // The last of the k are new to it if one that has left was closer; as many as have left.
        const last = closest.at(-1);
        const lastPosition = last === undefined ? undefined : network.positionOf(last);
        if (lastPosition === undefined) return [];
        const moved = gone.filter((left) => isCloserTo(position, left, lastPosition)).length;
        return moved === 0 ? [] : closest.slice(-moved);
      });
    },
  );

  const reprovide = async () => {
    const lookMs = reprovideIntervalMs / MAX_SWEEP_PARTS;
    let sweep = { startMs: clock.nowMs(), keys: 0, busyMs: 0, lagMs: 0 };
    // Nodes that started together must not all do this at the same time.
    await clock.sleep(startShare * lookMs, stopped.signal);
    for (;;) {
      const nowMs = clock.nowMs();
      if (nowMs - sweep.startMs >= reprovideIntervalMs) {
        const { startMs: _, ...done } = sweep;
        observer?.sweepEnded(done);
        logger.debug('Provided again', done);
        sweep = { startMs: nowMs, keys: 0, busyMs: 0, lagMs: 0 };
      }
      let earliestMs = Infinity;
      for (const { dueMs } of entries.values()) earliestMs = Math.min(earliestMs, dueMs);
      if (earliestMs < nowMs + lookMs) {
        const due = takeDue(nowMs);
        await place(due, closestTo);
        sweep.keys += due.length;
        sweep.busyMs += clock.nowMs() - nowMs;
        sweep.lagMs = Math.max(sweep.lagMs, nowMs - earliestMs);
      }
      await clock.sleep(lookMs, stopped.signal);
    }
  };
  /** The keys that are due until the next part is: few at a time are not worth a message to each of their peers. */
  const takeDue = (nowMs: number): readonly string[] => {
    const parts = Math.min(MAX_SWEEP_PARTS, Math.ceil(entries.size / KEYS_PER_SWEEP_PART));
    const untilMs = nowMs + reprovideIntervalMs / parts;
    const due: string[] = [];
    for (const [key, entry] of entries) {
      if (entry.dueMs >= untilMs) continue;
      entry.dueMs = nowMs + reprovideIntervalMs;
      network.keepOwn(entry.multihash);
      due.push(key);
    }
    return due;
  };
  /**
   * When keys that come now are provided again for the first time: many by their place, so that they spread. Few are one
   * part, when those are due that came first; on each node of a cluster that starts together that is at another time.
   */
  const firstDueMs = (newKeys: number): ((position: Uint8Array) => number) => {
    const nowMs = clock.nowMs();
    if (entries.size + newKeys <= KEYS_PER_SWEEP_PART) {
      const dueMs = nowMs + (entries.size === 0 ? startShare : 1) * reprovideIntervalMs;
      return () => dueMs;
    }
    return ([a = 0, b = 0]) => nowMs + ((a * 256 + b) / 65_536) * reprovideIntervalMs;
  };
  inBackground(reprovide());

  return {
    async provide(keys, signal) {
      signal?.throwIfAborted();
      stopped.signal.throwIfAborted();
      const dueMsOf = firstDueMs(keys.length);
      for (const key of keys) {
        let entry = entries.get(key);
        if (entry === undefined) {
          const multihash = contentMultihash(key);
          const position = keyspacePosition(multihash);
          entry = { multihash, position, dueMs: dueMsOf(position) };
          entries.set(key, entry);
        }
        network.keepOwn(entry.multihash);
      }
      const delivery = createDelivery();
      await place(keys, (entry) => closestTo(entry).slice(0, earlyReplicas), delivery);
      if (network.peerCount() > earlyReplicas) {
        for (const key of keys) late.add(key);
        tellLate();
      }
      await delivery.settled(signal);
    },
    stop(keys) {
      for (const key of keys) {
        const entry = entries.get(key);
        if (entry === undefined) continue;
        entries.delete(key);
        network.dropOwn(entry.multihash);
      }
    },
    peerJoined(peerId) {
      leftPeers.delete(peerId);
      namedPeers.delete(peerId);
      newPeers.add(peerId);
      tellNewPeers();
    },
    peerNamed,
    peerLeft(peerId, position) {
      newPeers.delete(peerId);
      namedPeers.delete(peerId);
      leftPeers.set(peerId, position);
      replaceLeftPeers();
    },
    peerParted(peerId) {
      if (newPeers.delete(peerId)) peerNamed(peerId);
    },
    isSendingTo: (peerId) => outboxes.has(peerId) || newPeers.has(peerId),
    stats() {
      let waiting = 0;
      for (const outbox of outboxes.values()) waiting += outbox.size;
      return { keys: entries.size, waiting };
    },
    async [Symbol.asyncDispose]() {
      stopped.abort(new Error('Reprovider has stopped'));
      await Promise.all(running);
    },
  };
}

/** The first entries of a map, without a copy of the others: it may be long, and is emptied in many steps. */
function firstOf<K, V>(map: ReadonlyMap<K, V>, count: number): [K, V][] {
  const first: [K, V][] = [];
  for (const entry of map) {
    if (first.length === count) break;
    first.push(entry);
  }
  return first;
}
