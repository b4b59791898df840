import type { Logger } from '../../observe/log.ts';
import type { Clock } from '../../runtime/clock.ts';
import { CONCURRENT_DIALS } from '../limits.ts';
import type { CrawlNetwork } from './crawler-contract.ts';
import type { KnownPeer, PeerTable } from './peer-table.ts';

/** Of two nodes that hear of each other the second waits so long for the first to dial. */
const TURN_TO_DIAL_MS = 500;

/** Connects to peers that others have named. */
export interface NamedDials {
  /** The peer, which is in the table, has just been named. */
  named(name: string): void;
  /** Peers that it would connect to if it had no other connections. */
  readonly waitingCount: number;
  /** Dials the waiting peers, a few at a time, until there are enough connections; returns what it has begun with. */
  start(signal: AbortSignal): readonly Promise<void>[];
}

/** What createNamedDials needs. */
export interface NamedDialsDeps {
  /** This node's name. */
  readonly self: string;
  readonly peers: Pick<PeerTable, 'get' | 'connectedCount'>;
  readonly network: Pick<CrawlNetwork, 'connect'>;
  /** Connections up to which it dials. */
  readonly connectionTarget: () => number;
  /** The peer could not be reached, and has not connected by itself. */
  readonly onUnreachable: (name: string) => void;
  readonly logger: Logger;
  readonly clock: Clock;
}

/**
 * Starts without a peer. Of two nodes that hear of each other the greater name dials; the other dials if it does not.
 */
export function createNamedDials({
  self,
  peers,
  network,
  connectionTarget,
  onUnreachable,
  logger,
  clock,
}: NamedDialsDeps): NamedDials {
  /** Peers to connect to -> when they were named. */
  const namedMs = new Map<string, number>();
  let dialling = 0;

  /**
   * Dialling does not take peers out while there are enough connections, and new peers come as long as this node runs.
   */
  const forgetOthers = () => {
    for (const name of namedMs.keys()) {
      const peer = peers.get(name);
      if (peer === undefined || peer.isConnected) namedMs.delete(name);
    }
  };
  /** A peer whose turn it is. */
  const nextToDial = (): KnownPeer | undefined => {
    for (const [name, sinceMs] of namedMs) {
      const peer = peers.get(name);
      if (peer === undefined || peer.isConnected) namedMs.delete(name);
      else if (name < self || clock.nowMs() - sinceMs >= TURN_TO_DIAL_MS) return peer;
    }
    return undefined;
  };
  const dial = async (peer: KnownPeer, signal: AbortSignal) => {
    try {
      await network.connect(peer);
    } catch (error) {
      if (signal.aborted) return;
      logger.debug('Cannot reach a peer that was named', { peer: peer.name, error });
      if (peers.get(peer.name)?.isConnected !== true) onUnreachable(peer.name);
    }
  };
  const dialInTurn = async (signal: AbortSignal) => {
    dialling++;
    try {
      while (!signal.aborted && peers.connectedCount < connectionTarget()) {
        const peer = nextToDial();
        if (peer === undefined) {
          if (namedMs.size === 0 || dialling > 1) return;
          // The last that dials waits for peers whose turn has not come.
          await clock.sleep(TURN_TO_DIAL_MS, signal).catch(() => {});
          continue;
        }
        namedMs.delete(peer.name);
        await dial(peer, signal);
      }
    } finally {
      dialling--;
    }
  };

  return {
    named: (name) => void namedMs.set(name, clock.nowMs()),
    get waitingCount() {
      return namedMs.size;
    },
    start(signal) {
      forgetOthers();
      const running: Promise<void>[] = [];
      const wanted = Math.min(CONCURRENT_DIALS, namedMs.size) - dialling;
      for (let count = 0; count < wanted; count++) running.push(dialInTurn(signal));
      return running;
    },
  };
}
