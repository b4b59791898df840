import { abortable } from '../../runtime/abortable.ts';
import type { Clock } from '../../runtime/clock.ts';
import { createDeadline } from '../../runtime/deadline.ts';
import { keyspacePosition } from '../wire/content-key.ts';
import type { NamedPeer } from '../wire/dht-message.ts';
import type { CrawlNetwork } from './crawler-contract.ts';
import { keysSpread, regionsOf } from './keyspace-regions.ts';
import type { KnownPeer, PeerTable } from './peer-table.ts';

const SECOND_MS = 1000;
/** How long to wait for the peers that a peer names: newcomers are to be asked, too. */
const FIND_NODE_TIMEOUT_MS = 3 * SECOND_MS;
/**
 * How many of the peers closest to itself a node asks for other peers, where it is not connected to all. Each of two
 * nodes may be the closest peer of the other. If they asked only each other, they would never learn of their
 * neighbours, and no node would learn of these neighbours from them.
 */
const OWN_REGION_ASKED = 3;

/** Which peers are to be asked for the peers that are close to this node. */
export interface Surroundings {
  /** Names of peers that have come. */
  readonly newcomers: readonly string[];
  /** True if the peers that are closest to this node are to be asked, too. */
  readonly isOwnRegionDue: boolean;
}

/** Asks connected peers which other peers are there. */
export interface CrawlQuestions {
  /** Asks for the peers that are close to this node. Resolves when the peers have answered, or it waits no longer. */
  around(surroundings: Surroundings, signal: AbortSignal): Promise<void>;
  /**
   * Asks the same. For each of several keys spread over the keyspace it also asks the peer closest to the key for the
   * peers close to it. Resolves to how long a question took, in ms: half of the questions, or more, took no longer.
   */
  everywhere(surroundings: Surroundings, signal: AbortSignal): Promise<number>;
}

/** What createCrawlQuestions needs. */
export interface CrawlQuestionsDeps {
  readonly self: Uint8Array;
  readonly peers: Pick<PeerTable, 'get' | 'closest' | 'size' | 'connectedCount'>;
  readonly network: Pick<CrawlNetwork, 'findNode'>;
  /** Called for each peer that an answer names, also when the answer comes late. */
  readonly onNamed: (peer: NamedPeer) => void;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Makes what asks. */
export function createCrawlQuestions({
  self,
  peers,
  network,
  onNamed,
  clock,
  random,
}: CrawlQuestionsDeps): CrawlQuestions {
  const closestTo = (key: Uint8Array, count: number) =>
    peers.closest(keyspacePosition(key), count, ({ isConnected }) => isConnected);
  const ask = async (asked: readonly KnownPeer[], key: Uint8Array, signal: AbortSignal) => {
    await Promise.all(
      asked.map(async (peer) => {
        const answer = network.findNode(peer, key).then((named) => {
          for (const each of named) onNamed(each);
        });
        // What the peer answers later is taken as well.
        using deadline = createDeadline(clock, FIND_NODE_TIMEOUT_MS, signal);
        await abortable(answer, deadline.signal).catch(() => {});
      }),
    );
  };
  const around = async ({ newcomers, isOwnRegionDue }: Surroundings, signal: AbortSignal) => {
    const asked = new Set<KnownPeer>();
    for (const name of newcomers) {
      const peer = peers.get(name);
      if (peer?.isConnected === true) asked.add(peer);
    }
    const ownAsked = peers.connectedCount < peers.size ? OWN_REGION_ASKED : 1;
    if (isOwnRegionDue) for (const peer of closestTo(self, ownAsked)) asked.add(peer);
    await ask([...asked], self, signal);
  };
  return {
    around,
    async everywhere(surroundings, signal) {
      const keys = keysSpread(regionsOf(peers.size), random);
      const startedMs = clock.nowMs();
      const since = () => clock.nowMs() - startedMs;
      const tookMs = await Promise.all([
        around(surroundings, signal).then(since),
        ...keys.map(async (key) => ask(closestTo(key, 1), key, signal).then(since)),
      ]);
      return tookMs.sort((a, b) => a - b)[(tookMs.length - 1) >> 1] ?? 0;
    },
  };
}
