import type { Logger } from '../../observe/log.ts';
import type { Clock } from '../../runtime/clock.ts';
import { createDeadline } from '../../runtime/deadline.ts';
import { abortable } from '../../runtime/abortable.ts';
import { lruSet } from '../../runtime/lru-set.ts';
import { keyspacePosition } from '../wire/content-key.ts';
import type { NamedPeer } from '../wire/dht-message.ts';
import { CONCURRENT_DIALS, CONNECTION_TARGET, MAX_KNOWN_PEERS, REPLICATION } from '../limits.ts';
import type { KnownPeer, PeerTable } from './peer-table.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
/** How long the one of two nodes whose turn it is not waits for the other one to dial. */
const TURN_TO_DIAL_MS = 500;
/** First wait between two crawls while new peers turn up. */
const CRAWL_INITIAL_MS = 500;
/** Longest wait: how often a node crawls when it hears of nobody new. */
export const CRAWL_MAX_MS = 5 * MINUTE_MS;
/** A peer that does not say by then who is close to a place is not waited for: those who have come are to be asked, too. */
const FIND_NODE_TIMEOUT_MS = 3 * SECOND_MS;
/** Least wait, in times that a question took: a crawl may ask as much as it does a few times a minute, not more. */
const CRAWL_REST = 20;
/** Longest such wait. */
const CRAWL_REST_MAX_MS = 20 * SECOND_MS;
/**
 * Peers of those closest to itself that a node asks who else is there, where it is not connected to all. Two nodes may
 * each be the other's closest one: asking only each other they never learn of their neighbours, and nobody learns of
 * those from them.
 */
const OWN_REGION_ASKED = 3;
/** Peers that have just come and are asked who else is there, at a time; when more come all are asked. */
export const NEWCOMERS_ASKED = 3;
/** Questions of a crawl that are worth half a second's wait until the next: a large cluster is asked less often. */
const REGIONS_PER_WAIT = 8;
/** Peers to expect for one question of a crawl: half of what an answer names, so that no region's are cut off. */
const PEERS_PER_REGION = REPLICATION / 2;
/** How long it is not believed that a peer is there after it could not be reached at what was named; doubled each time. */
const FAILED_NAME_INITIAL_MS = 5 * SECOND_MS;
/** Longest time of that. */
const FAILED_NAME_MAX_MS = 10 * MINUTE_MS;

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
  /** Takes a peer that another one named into the table. False when it must not, or need not, be there. */
  readonly onNamed: (peer: NamedPeer) => boolean;
  /** A peer that was only named cannot be reached. */
  readonly onUnreachable: (name: string) => void;
  /** Connections up to which it dials whoever it hears of. Default CONNECTION_TARGET. */
  readonly connectionTarget?: () => number;
  readonly logger: Logger;
  readonly clock: Clock;
  /** A number from 0 up to, not including, 1. Default Math.random. */
  readonly random?: () => number;
}

/** Keeps the table of peers full: learns of the nodes of the cluster that it lacks, and connects to them. */
export interface Crawler {
  /** The cluster may be another one: all of it is asked for. */
  wake(): void;
  /**
   * There is somebody new: whoever that one knows may be new, too. It is asked; all others are if it names such a one, or
   * if many come at once: then two parts of the cluster have met.
   */
  met(name: string): void;
  /** Somebody is gone: the same with the closest peers. */
  lost(): void;
  /** The peer could not be reached: that it is named is not believed for a while. */
  failed(name: string): void;
  /** The peer was heard. */
  heard(name: string): void;
  /** Peers that it would connect to if it had no other connections. */
  readonly waitingCount: number;
  /** Crawls when it is woken, and every few minutes, until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Asks for the peers closest to this node and to places spread evenly over the keyspace, each of the peer that is
 * closest to it, for its own of the closest few: k answers at a time name the whole cluster in few questions, where walks
 * to random places would need many. Who is named is in the table at once, so that every node takes the same ones for the
 * closest to a key; the connections come one after the other, see createDialLimiter.
 */
export function createCrawler({
  self,
  peers,
  network,
  onNamed,
  onUnreachable,
  connectionTarget = () => CONNECTION_TARGET,
  logger,
  clock,
  random = Math.random,
}: CrawlerDeps): Crawler {
  const selfName = self.toHex();
  /** Peers that could not be reached where they were named: Go's nodes name those that are gone for long. */
  const failures = new Map<string, { readonly untilMs: number; readonly nextMs: number }>();
  const namedMs = new Map<string, number>();
  /** Peers that are to be asked who else is there. */
  const newcomers = new Set<string>();
  let isOwnRegionDue = false;
  let dialling = 0;
  let isAwake = true;
  let alarm = Promise.withResolvers<void>();

  const failed = (name: string) => {
    const before = failures.get(name);
    const waitMs = before?.nextMs ?? FAILED_NAME_INITIAL_MS;
    const failure = { untilMs: clock.nowMs() + waitMs, nextMs: Math.min(2 * waitMs, FAILED_NAME_MAX_MS) };
    lruSet(failures, name, failure, MAX_KNOWN_PEERS);
  };
  const takeName = (peer: NamedPeer) => {
    const name = peer.id.toHex();
    if (name === selfName || peer.addresses.length === 0 || peers.get(name) !== undefined) return;
    if (clock.nowMs() < (failures.get(name)?.untilMs ?? -Infinity)) return;
    if (!onNamed(peer)) return;
    namedMs.set(name, clock.nowMs());
    isAwake = true;
    alarm.resolve();
  };
  const askThem = async (asked: readonly KnownPeer[], key: Uint8Array, signal: AbortSignal) => {
    await Promise.all(
      asked.map(async (peer) => {
        const answer = network.findNode(peer, key).then((named) => {
          for (const each of named) takeName(each);
        });
        // What it says later is taken as well.
        using deadline = createDeadline(clock, FIND_NODE_TIMEOUT_MS, signal);
        await abortable(answer, deadline.signal).catch(() => {});
      }),
    );
  };
  const closestTo = (key: Uint8Array, count = 1) =>
    peers.closest(keyspacePosition(key), count, ({ isConnected }) => isConnected);
  /** Asks who else is close to this node: those who have come, and those who are closest if somebody was lost. */
  const askAround = async (signal: AbortSignal) => {
    const asked = new Set<KnownPeer>();
    for (const name of newcomers) {
      const peer = peers.get(name);
      if (peer?.isConnected === true) asked.add(peer);
    }
    newcomers.clear();
    const ownAsked = peers.connectedCount < peers.size ? OWN_REGION_ASKED : 1;
    if (isOwnRegionDue) for (const peer of closestTo(self, ownAsked)) asked.add(peer);
    isOwnRegionDue = false;
    await askThem([...asked], self, signal);
  };
  /** Resolves to how long a question took, in ms: half of them, or more, took no longer. */
  const crawl = async (signal: AbortSignal) => {
    const keys = keysSpread(regionsOf(peers.size), random);
    isOwnRegionDue = true;
    const startedMs = clock.nowMs();
    const since = () => clock.nowMs() - startedMs;
    const tookMs = await Promise.all([
      askAround(signal).then(since),
      ...keys.map(async (key) => askThem(closestTo(key), key, signal).then(since)),
    ]);
    return tookMs.sort((a, b) => a - b)[(tookMs.length - 1) >> 1] ?? 0;
  };
  /** Peers to connect to whose turn it is: of two nodes that hear of each other one dials, the other if that does not come. */
  const nextToDial = (): KnownPeer | undefined => {
    for (const [name, sinceMs] of namedMs) {
      const peer = peers.get(name);
      if (peer === undefined || peer.isConnected) namedMs.delete(name);
      else if (name < selfName || clock.nowMs() - sinceMs >= TURN_TO_DIAL_MS) return peer;
    }
    return undefined;
  };
  const connect = async (signal: AbortSignal) => {
    dialling++;
    try {
      while (!signal.aborted && peers.connectedCount < connectionTarget()) {
        const peer = nextToDial();
        if (peer === undefined) {
          if (namedMs.size === 0 || dialling > 1) return;
          // The last one waits for those whose turn has not come.
          await clock.sleep(TURN_TO_DIAL_MS, signal).catch(() => {});
          continue;
        }
        namedMs.delete(peer.name);
        try {
          await network.connect(peer);
        } catch (error) {
          if (signal.aborted) return;
          logger.debug('Cannot reach a peer that was named', { peer: peer.name, error });
          if (peers.get(peer.name)?.isConnected !== true) {
            failed(peer.name);
            onUnreachable(peer.name);
          }
        }
      }
    } finally {
      dialling--;
    }
  };
  /** Sleeps until it is over, or something has happened. */
  const nap = async (ms: number, signal: AbortSignal) => {
    alarm = Promise.withResolvers();
    const woken = new AbortController();
    const watching = alarm.promise.then(() => woken.abort());
    await clock.sleep(ms, AbortSignal.any([signal, woken.signal])).catch(() => {});
    alarm.resolve();
    await watching;
  };
  /** Rests until it is over, or all are to be asked; who has come meanwhile is asked one by one. */
  const rest = async (ms: number, signal: AbortSignal) => {
    const untilMs = clock.nowMs() + ms;
    while (!signal.aborted && clock.nowMs() < untilMs) {
      if (isAwake) return;
      if (newcomers.size === 0 && !isOwnRegionDue) {
        await nap(untilMs - clock.nowMs(), signal);
      } else {
        await askAround(signal);
        if (!isAwake) await clock.sleep(CRAWL_INITIAL_MS, signal).catch(() => {});
      }
    }
  };
  /** Where there are connections enough nobody takes them out, and new nodes come for as long as this one runs. */
  const forgetOthers = () => {
    for (const name of namedMs.keys()) {
      const peer = peers.get(name);
      if (peer === undefined || peer.isConnected) namedMs.delete(name);
    }
  };
  const dialThem = (signal: AbortSignal) => {
    forgetOthers();
    const running: Promise<void>[] = [];
    const wanted = Math.min(CONCURRENT_DIALS, namedMs.size) - dialling;
    for (let count = 0; count < wanted; count++) running.push(connect(signal));
    return running;
  };

  return {
    wake() {
      isAwake = true;
      alarm.resolve();
    },
    met(name) {
      if (newcomers.size < NEWCOMERS_ASKED) newcomers.add(name);
      // Those whom they name may count as dead here, which is no news.
      else isAwake = true;
      alarm.resolve();
    },
    lost() {
      isOwnRegionDue = true;
      alarm.resolve();
    },
    failed,
    heard: (name) => void failures.delete(name),
    get waitingCount() {
      return namedMs.size;
    },
    async run(signal) {
      const running = new Set<Promise<void>>();
      let waitMs = CRAWL_INITIAL_MS;
      while (!signal.aborted) {
        isAwake = false;
        const tookMs = await crawl(signal);
        for (const work of dialThem(signal)) running.add(work.finally(() => running.delete(work)));
        // Where answers are slow all are busy, and may be so with each other's crawls.
        const leastMs = Math.max(
          CRAWL_INITIAL_MS * Math.max(1, regionsOf(peers.size) / REGIONS_PER_WAIT),
          Math.min(CRAWL_REST * tookMs, CRAWL_REST_MAX_MS),
        );
        waitMs = isAwake ? leastMs : Math.min(2 * Math.max(waitMs, leastMs), CRAWL_MAX_MS);
        // Not in step with the others, and no sooner after the last crawl than it is worth.
        const jitteredMs = waitMs * (1 - random() / 2);
        await clock.sleep(Math.min(leastMs, jitteredMs), signal).catch(() => {});
        await rest(jitteredMs - leastMs, signal);
        if (isAwake) waitMs = leastMs;
      }
      await Promise.all(running);
    },
  };
}

/** Regions into which the keyspace is divided: few enough peers in each that one answer names them. */
function regionsOf(peers: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, peers / PEERS_PER_REGION)));
}

/** One key for each of the regions, a power of two: its place in the keyspace is there. */
function keysSpread(regions: number, random: () => number): Uint8Array[] {
  const keys = new Map<number, Uint8Array>();
  while (keys.size < regions) {
    const key = Uint8Array.from({ length: 32 }, () => Math.floor(random() * 256));
    const [a = 0, b = 0] = keyspacePosition(key);
    keys.set(Math.floor(((a * 256 + b) / 65_536) * regions), key);
  }
  return [...keys.values()];
}
