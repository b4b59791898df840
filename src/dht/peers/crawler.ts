import { createKeyedBackoff } from '../../runtime/keyed-backoff.ts';
import { createWakeUp } from '../../runtime/wake-up.ts';
import { CONNECTION_TARGET, MAX_KNOWN_PEERS } from '../limits.ts';
import type { NamedPeer } from '../wire/dht-message.ts';
import { createCrawlQuestions, type Surroundings } from './crawl-questions.ts';
import type { Crawler, CrawlerDeps } from './crawler-contract.ts';
import { regionsOf } from './keyspace-regions.ts';
import { createNamedDials } from './named-dials.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
/** First wait between two crawls while new peers turn up. */
const CRAWL_INITIAL_MS = 500;
/** Longest wait: how often a node crawls when it hears of no new peer. */
export const CRAWL_MAX_MS = 5 * MINUTE_MS;
/** Least wait, in multiples of the time that a question took: where answers are slow, a few crawls a minute at most. */
const CRAWL_REST = 20;
/** Longest such wait. */
const CRAWL_REST_MAX_MS = 20 * SECOND_MS;
/** How many peers that have just come are asked for other peers at a time. When more come, all peers are asked. */
export const NEWCOMERS_ASKED = 3;
/** Questions of a crawl that are worth half a second's wait until the next: a large cluster is asked less often. */
const REGIONS_PER_WAIT = 8;
/** How long peers that name a peer are not believed after it could not be reached there. Doubled each time. */
const FAILED_NAME_INITIAL_MS = 5 * SECOND_MS;
/** Longest time of that. */
const FAILED_NAME_MAX_MS = 10 * MINUTE_MS;

/**
 * Asks for the peers closest to this node, and for the peers closest to positions spread evenly over the keyspace. Each
 * such question goes to the peer closest to the position, which names k peers. So few questions name the whole cluster,
 * where walks to random positions would need many. A named peer is in the table at once, so that every node takes the
 * same peers for the closest to a key. The connections come one after the other, see createDialLimiter.
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
  /** Peers that could not be reached where they were named: Go's nodes name peers that have been gone for long. */
  const failures = createKeyedBackoff(() => clock.nowMs(), {
    initialMs: FAILED_NAME_INITIAL_MS,
    maxMs: FAILED_NAME_MAX_MS,
    maxKeys: MAX_KNOWN_PEERS,
  });
  const dials = createNamedDials({
    self: selfName,
    peers,
    network,
    connectionTarget,
    onUnreachable(name) {
      failures.start(name);
      onUnreachable(name);
    },
    logger,
    clock,
  });
  /** Peers that are to be asked for other peers. */
  const newcomers = new Set<string>();
  let isOwnRegionDue = false;
  /** True when all peers are to be asked again. */
  let isAwake = true;
  /** Woken when there is something to ask. */
  const alarm = createWakeUp();

  const takeName = (peer: NamedPeer) => {
    const name = peer.id.toHex();
    if (name === selfName || peer.addresses.length === 0 || peers.get(name) !== undefined) return;
    if (failures.isWaiting(name)) return;
    if (!onNamed(peer)) return;
    dials.named(name);
    isAwake = true;
    alarm.wake();
  };
  const questions = createCrawlQuestions({ self, peers, network, onNamed: takeName, clock, random });

  const takeSurroundings = (): Surroundings => {
    const surroundings = { newcomers: [...newcomers], isOwnRegionDue };
    newcomers.clear();
    isOwnRegionDue = false;
    return surroundings;
  };
  /** Rests until the time is over, or all peers are to be asked. Peers that come meanwhile are asked as they come. */
  const rest = async (ms: number, signal: AbortSignal) => {
    const untilMs = clock.nowMs() + ms;
    while (!signal.aborted && clock.nowMs() < untilMs) {
      if (isAwake) return;
      if (newcomers.size === 0 && !isOwnRegionDue) {
        await alarm.sleep(clock, untilMs - clock.nowMs(), signal);
      } else {
        await questions.around(takeSurroundings(), signal);
        if (!isAwake) await clock.sleep(CRAWL_INITIAL_MS, signal).catch(() => {});
      }
    }
  };

  return {
    wake() {
      isAwake = true;
      alarm.wake();
    },
    met(name) {
      if (newcomers.size < NEWCOMERS_ASKED) newcomers.add(name);
      // The peers that newcomers name may count as dead here: then their names alone do not start a crawl.
      else isAwake = true;
      alarm.wake();
    },
    lost() {
      isOwnRegionDue = true;
      alarm.wake();
    },
    failed: (name) => void failures.start(name),
    heard: (name) => failures.forget(name),
    get waitingCount() {
      return dials.waitingCount;
    },
    async run(signal) {
      const running = new Set<Promise<void>>();
      let waitMs = CRAWL_INITIAL_MS;
      while (!signal.aborted) {
        isAwake = false;
        const tookMs = await questions.everywhere({ ...takeSurroundings(), isOwnRegionDue: true }, signal);
        for (const work of dials.start(signal)) running.add(work.finally(() => running.delete(work)));
        const leastMs = leastWaitMs(peers.size, tookMs);
        waitMs = isAwake ? leastMs : Math.min(2 * Math.max(waitMs, leastMs), CRAWL_MAX_MS);
        // Not in step with other nodes, and no sooner after the last crawl than a new crawl is worth.
        const jitteredMs = waitMs * (1 - random() / 2);
        await clock.sleep(Math.min(leastMs, jitteredMs), signal).catch(() => {});
        await rest(jitteredMs - leastMs, signal);
        if (isAwake) waitMs = leastMs;
      }
      await Promise.all(running);
    },
  };
}

/** Wait after a crawl, in ms. Where answers are slow all nodes are busy, perhaps with each other's crawls. */
function leastWaitMs(peers: number, tookMs: number): number {
  return Math.max(
    CRAWL_INITIAL_MS * Math.max(1, regionsOf(peers) / REGIONS_PER_WAIT),
    Math.min(CRAWL_REST * tookMs, CRAWL_REST_MAX_MS),
  );
}
