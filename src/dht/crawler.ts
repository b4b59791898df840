import type { Logger } from '../observe/log.ts';
import { createBackoff } from '../runtime/backoff.ts';
import type { Clock } from '../runtime/clock.ts';
import { createSlots } from '../runtime/slots.ts';
import { keyspacePosition } from './content-key.ts';
import type { NamedPeer } from './dht-message.ts';
import {
  CONCURRENT_DIALS,
  CONNECTION_TARGET,
  CRAWL_AGAIN_MS,
  CRAWL_INITIAL_MS,
  CRAWL_MAX_MS,
  FAILED_NAME_MS,
  MAX_KNOWN_PEERS,
  PEERS_PER_REGION,
  TURN_TO_DIAL_MS,
} from './limits.ts';
import type { PeerTable } from './peer-table.ts';

/** How a crawl reaches other nodes. */
export interface CrawlNetwork {
  /** Asks a peer for those that it knows closest to the place of the key. Rejects when it does not answer. */
  findNode(peer: NamedPeer, key: Uint8Array): Promise<readonly NamedPeer[]>;
  /** Connects to a peer that another one named. Rejects when it cannot be reached there, or is somebody else. */
  connect(peer: NamedPeer): Promise<void>;
}

/** What createCrawler needs. */
export interface CrawlerDeps {
  readonly self: Uint8Array;
  readonly peers: Pick<PeerTable, 'get' | 'closest' | 'size' | 'connectedCount'>;
  readonly network: CrawlNetwork;
  readonly logger: Logger;
  readonly clock: Clock;
  /** A number from 0 up to, not including, 1. Default Math.random. */
  readonly random?: () => number;
}

/** Keeps the table of peers full: learns of the nodes of the cluster that it lacks. */
export interface Crawler {
  /** There is somebody new: whoever that one knows may be new, too. */
  wake(): void;
  /** Crawls when it is woken, and every few minutes, until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Asks for the peers closest to this node and to places spread evenly over the keyspace, each of the peer that is
 * closest to it: k answers at a time name the whole cluster in few questions, where walks to random places would need
 * many. Who is named and not known is connected to, while there are few connections.
 */
export function createCrawler({
  self,
  peers,
  network,
  logger,
  clock,
  random = Math.random,
}: CrawlerDeps): Crawler {
  const selfName = self.toHex();
  const slots = createSlots(CONCURRENT_DIALS);
  /** Peers that are dialled now. */
  const dialling = new Set<string>();
  /** When a peer that was named could not be reached: Go's nodes name those that are gone for long. */
  const failedMs = new Map<string, number>();
  let isAwake = true;
  let alarm = Promise.withResolvers<void>();

  const connect = async (peer: NamedPeer, signal: AbortSignal) => {
    const name = peer.id.toHex();
    if (name === selfName || peer.addresses.length === 0 || peers.get(name) !== undefined) return;
    if (dialling.has(name) || peers.connectedCount + dialling.size >= CONNECTION_TARGET) return;
    if (clock.nowMs() - (failedMs.get(name) ?? -Infinity) < FAILED_NAME_MS) return;
    dialling.add(name);
    try {
      // Two nodes hear of each other at about the same time: one dials, the other one only if that did not come.
      if (name > selfName) await clock.sleep(TURN_TO_DIAL_MS, signal);
      if (peers.get(name) === undefined) await slots.use(async () => network.connect(peer));
    } catch (error) {
      if (signal.aborted) return;
      logger.debug('Cannot reach a peer that was named', { peer: name, error });
      failedMs.delete(name);
      failedMs.set(name, clock.nowMs());
      const [oldest] = failedMs.keys();
      if (failedMs.size > MAX_KNOWN_PEERS && oldest !== undefined) failedMs.delete(oldest);
    } finally {
      dialling.delete(name);
    }
  };
  const ask = async (key: Uint8Array, signal: AbortSignal) => {
    const [closest] = peers.closest(keyspacePosition(key), 1, ({ isConnected }) => isConnected);
    if (closest === undefined) return;
    const named = await network.findNode(closest, key).catch(() => []);
    await Promise.all(named.map(async (peer) => connect(peer, signal)));
  };
  const crawl = async (signal: AbortSignal) => {
    const bits = Math.ceil(Math.log2(Math.max(1, peers.size / PEERS_PER_REGION)));
    const keys = [self, ...keysSpread(bits, random)];
    await Promise.all(keys.map(async (key) => ask(key, signal)));
  };

  return {
    wake() {
      isAwake = true;
      alarm.resolve();
    },
    async run(signal) {
      const backoff = createBackoff({ initialMs: CRAWL_INITIAL_MS, maxMs: CRAWL_MAX_MS, random });
      while (!signal.aborted) {
        const before = peers.size;
        isAwake = false;
        await crawl(signal);
        if (peers.size > before) backoff.reset();
        await clock.sleep(backoff.nextMs(), signal).catch(() => {});
        if (isAwake || signal.aborted) continue;
        backoff.reset();
        alarm = Promise.withResolvers();
        const nap = new AbortController();
        const woken = alarm.promise.then(() => nap.abort());
        await clock.sleep(CRAWL_AGAIN_MS, AbortSignal.any([signal, nap.signal])).catch(() => {});
        alarm.resolve();
        await woken;
      }
    },
  };
}

/** One key for each region of the keyspace, of which there are 2^bits: its place begins with those bits. */
function keysSpread(bits: number, random: () => number): Uint8Array[] {
  const keys = new Map<number, Uint8Array>();
  while (keys.size < 2 ** bits) {
    const key = Uint8Array.from({ length: 32 }, () => Math.floor(random() * 256));
    const [a = 0, b = 0] = keyspacePosition(key);
    keys.set(((a << 8) | b) >> (16 - bits), key);
  }
  return [...keys.values()];
}
