import type { Logger } from '../../observe/log.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { NamedPeer } from '../wire/dht-message.ts';
import type { PeerTable } from './peer-table.ts';

/** How a crawl reaches other nodes. */
export interface CrawlNetwork {
  /** Asks a peer for the peers that it knows closest to the position of the key. Rejects when it does not answer. */
  findNode(peer: NamedPeer, key: Uint8Array): Promise<readonly NamedPeer[]>;
  /** Connects to a peer that another peer named. Rejects when it cannot be reached there, or has another ID. */
  connect(peer: NamedPeer): Promise<void>;
}

/** What createCrawler needs. */
export interface CrawlerDeps {
  readonly self: Uint8Array;
  readonly peers: Pick<PeerTable, 'get' | 'closest' | 'size' | 'connectedCount'>;
  readonly network: CrawlNetwork;
  /** Takes a peer that another peer named into the table. False when it must not, or need not, be there. */
  readonly onNamed: (peer: NamedPeer) => boolean;
  /** A peer that was only named cannot be reached. */
  readonly onUnreachable: (name: string) => void;
  /** Connections up to which it dials every peer that it hears of. Default CONNECTION_TARGET. */
  readonly connectionTarget?: () => number;
  readonly logger: Logger;
  readonly clock: Clock;
  /** A number from 0 up to, not including, 1. Default Math.random. */
  readonly random?: () => number;
}

/** Keeps the table of peers full: learns of the nodes of the cluster that it lacks, and connects to them. */
export interface Crawler {
  /** The cluster may have changed: all of it is asked for. */
  wake(): void;
  /**
   * There is a new peer, which may know other new peers: it is asked. All other peers are asked if it names a new peer,
   * or if many peers come at once: then two parts of the cluster have met.
   */
  met(name: string): void;
  /** A peer is gone: the closest peers are asked. */
  lost(): void;
  /** The peer could not be reached: others that name it are not believed for a while. */
  failed(name: string): void;
  /** The peer was heard. */
  heard(name: string): void;
  /** Peers that it would connect to if it had no other connections. */
  readonly waitingCount: number;
  /** Crawls when it is woken, and every few minutes, until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}
