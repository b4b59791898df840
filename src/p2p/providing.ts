import type { Logger } from '../observe/log.ts';
import { createBackoff } from '../runtime/backoff.ts';
import type { Clock } from '../runtime/clock.ts';
import { contentCid, keyspacePosition } from './content-key.ts';
import { createDelivery, type Delivery } from './delivery.ts';
import {
  CONCURRENT_SENDS,
  NEW_PEER_DELAY_MS,
  RECORDS_PER_STREAM,
  REPROVIDE_INTERVAL_MS,
  SEND_ATTEMPTS,
  SEND_RETRY_INITIAL_MS,
  SEND_RETRY_MAX_MS,
} from './limits.ts';
import { createSlots } from '../runtime/slots.ts';

/** The network as providing sees it. Peers are named by their ID in base58. */
export interface ProvidingNetwork {
  /** The k known peers that are closest to the place in the keyspace. */
  closestPeers(position: Uint8Array): readonly string[];
  /** How many peers are known. With k or fewer, all are among the closest of every key. */
  peerCount(): number;
  /** Gives the peer records that say that this node provides the multihashes; resolves once it has taken them. */
  send(peerId: string, multihashes: readonly Uint8Array[], signal: AbortSignal): Promise<void>;
  /** Keeps or renews this node's own record, so that it answers for itself. */
  keepOwn(multihash: Uint8Array): void;
  /** Forgets this node's own record. */
  dropOwn(multihash: Uint8Array): void;
  /** Called when a peer did not take records after several tries. */
  gone(peerId: string): void;
}

/** What createProviding needs. */
export interface ProvidingDeps {
  readonly network: ProvidingNetwork;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** Tunables, for tests. */
export interface ProvidingOptions {
  readonly replication: number;
  readonly reprovideIntervalMs?: number;
  readonly newPeerDelayMs?: number;
}

/** Keeps the records of this node's keys at the peers that are closest to them. */
export interface Providing extends AsyncDisposable {
  /**
   * Starts to provide the keys. Resolves when each record has been taken by at least one peer (or no peer is
   * known yet: they get it when they come); rejects when every peer refused. Either way the keys are kept.
   */
  provide(keys: readonly string[], signal?: AbortSignal): Promise<void>;
  /** Stops providing. Unknown keys are no error. */
  stop(keys: readonly string[]): void;
  /** Tells of a peer that was not known before: it gets the records that belong to it. */
  peerJoined(peerId: string): void;
}

/** A key that is provided. */
interface Entry {
  readonly multihash: Uint8Array;
  readonly position: Uint8Array;
}

/** What waits to be sent to one peer: keys, each with the calls that wait for it to be taken. */
type Outbox = Map<string, readonly Delivery[]>;

/** How many keys are placed before other work gets its turn. */
const KEYS_PER_TURN = 200;

/**
 * Records go to each peer in bulk, over one stream, instead of one walk through the DHT per key: which peers are
 * closest is read from the routing table, which knows all nodes of a cluster but the largest ones. A node that
 * is learned of later gets the records that belong to it then, and every 15 minutes all are placed anew.
 */
export function createProviding(
  { network, logger, clock }: ProvidingDeps,
  options: ProvidingOptions,
): Providing {
  const entries = new Map<string, Entry>();
  const outboxes = new Map<string, Outbox>();
  const newPeers = new Set<string>();
  const slots = createSlots(CONCURRENT_SENDS);
  const stopped = new AbortController();
  const running = new Set<Promise<void>>();

  const inBackground = (work: Promise<void>) => {
    const tracked = work.catch((error: unknown) => {
      if (!stopped.signal.aborted) logger.warn('Providing failed', { error });
    });
    running.add(tracked);
    void tracked.finally(() => running.delete(tracked));
  };

  const enqueue = (peerId: string, keys: readonly string[], delivery?: Delivery) => {
    const waiting = outboxes.get(peerId);
    const outbox: Outbox = waiting ?? new Map();
    for (const key of keys) {
      const earlier = outbox.get(key) ?? [];
      outbox.set(key, delivery === undefined ? earlier : [...earlier, delivery]);
    }
    if (waiting !== undefined) return;
    outboxes.set(peerId, outbox);
    inBackground(empty(peerId, outbox));
  };

  const empty = async (peerId: string, outbox: Outbox) => {
    const backoff = createBackoff({ initialMs: SEND_RETRY_INITIAL_MS, maxMs: SEND_RETRY_MAX_MS });
    let failures = 0;
    try {
      while (outbox.size > 0) {
        const batch = [...outbox].slice(0, RECORDS_PER_STREAM);
        const multihashes = batch.flatMap(([key]) => entries.get(key)?.multihash ?? []);
        try {
          await slots.use(async () => network.send(peerId, multihashes, stopped.signal));
        } catch (cause) {
          stopped.signal.throwIfAborted();
          failures++;
          for (const [key, deliveries] of batch) {
            for (const delivery of deliveries) delivery.refused(key, cause);
            outbox.set(key, (outbox.get(key) ?? []).slice(deliveries.length));
          }
          if (failures >= SEND_ATTEMPTS) {
            logger.debug('A peer takes no records', { peer: peerId, error: cause });
            network.gone(peerId);
            return;
          }
          await clock.sleep(backoff.nextMs(), stopped.signal);
          continue;
        }
        failures = 0;
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

  /** Sends the keys to the peers that are closest to them, or only to those of them in `only`. */
  const place = async (keys: Iterable<string>, delivery?: Delivery, only?: ReadonlySet<string>) => {
    const keysByPeer = new Map<string, string[]>();
    let count = 0;
    for (const key of keys) {
      const entry = entries.get(key);
      if (entry === undefined) continue;
      for (const peerId of network.closestPeers(entry.position)) {
        if (only?.has(peerId) === false) continue;
        const list = keysByPeer.get(peerId);
        if (list === undefined) keysByPeer.set(peerId, [key]);
        else list.push(key);
      }
      if (++count % KEYS_PER_TURN === 0) await new Promise(setImmediate);
    }
    delivery?.expect(keysByPeer);
    for (const [peerId, list] of keysByPeer) enqueue(peerId, list, delivery);
  };

  let isPlacing = false;
  const placeAtNewPeers = async () => {
    while (newPeers.size > 0) {
      await clock.sleep(options.newPeerDelayMs ?? NEW_PEER_DELAY_MS, stopped.signal);
      const batch = new Set(newPeers);
      newPeers.clear();
      if (network.peerCount() <= options.replication) {
        for (const peerId of batch) if (entries.size > 0) enqueue(peerId, [...entries.keys()]);
      } else {
        await place([...entries.keys()], undefined, batch);
      }
    }
    isPlacing = false;
  };

  const reprovide = async () => {
    for (;;) {
      await clock.sleep(options.reprovideIntervalMs ?? REPROVIDE_INTERVAL_MS, stopped.signal);
      const startedMs = clock.nowMs();
      for (const { multihash } of entries.values()) network.keepOwn(multihash);
      await place([...entries.keys()]);
      logger.debug('Provided again', {
        keys: entries.size,
        placedInMs: Math.round(clock.nowMs() - startedMs),
      });
    }
  };
  inBackground(reprovide());

  return {
    async provide(keys, signal) {
      signal?.throwIfAborted();
      stopped.signal.throwIfAborted();
      for (const key of keys) {
        let entry = entries.get(key);
        if (entry === undefined) {
          const multihash = contentCid(key).multihash.bytes;
          entry = { multihash, position: keyspacePosition(multihash) };
          entries.set(key, entry);
        }
        network.keepOwn(entry.multihash);
      }
      const delivery = createDelivery();
      await place(keys, delivery);
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
      newPeers.add(peerId);
      if (isPlacing) return;
      isPlacing = true;
      inBackground(placeAtNewPeers());
    },
    async [Symbol.asyncDispose]() {
      stopped.abort(new Error('Providing has stopped'));
      await Promise.all(running);
    },
  };
}
