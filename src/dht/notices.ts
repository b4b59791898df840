import type { Logger } from '../observe/log.ts';
import { MAX_SUSPECTS_PER_NOTICE, MAX_WITHDRAWN_PER_NOTICE } from './limits.ts';
import type { PeerBook } from './peers/peer-book-contract.ts';
import type { KnownPeer, PeerTable } from './peers/peer-table.ts';
import { contentMultihash } from './wire/content-key.ts';
import { encodeNotice, type Notice } from './wire/notice-message.ts';
import type { NamedPeer } from './wire/dht-message.ts';

/** What createNotices needs. */
export interface NoticesDeps {
  readonly peers: Pick<PeerTable, 'all' | 'get'>;
  readonly book: Pick<PeerBook, 'get'>;
  /** Sends a notice with its length in front; rejects when it cannot be sent. */
  readonly notify: (peer: NamedPeer, notice: Uint8Array) => Promise<void>;
  /** Where this node is, and what it is called; undefined: that is not known. */
  readonly own: Pick<Notice, 'zone' | 'nodeName'>;
  readonly logger: Logger;
}

/** What this node tells others without being asked. A peer that does not understand notices is told nothing. */
export interface Notices {
  /** This node does not provide the keys any more. */
  withdrawn(keys: readonly string[]): void;
  /** Peers do not answer: others may want to probe them. */
  suspects(names: readonly string[]): void;
  /** Tells a peer where this node is, and what it is called, as far as that is known. */
  introduce(name: string): void;
  /** This node needs the room of the connection to the peer. Resolves when the peer was told, or cannot be. */
  parting(peer: KnownPeer): Promise<void>;
  /** This node leaves. Resolves when all peers were told that could be. */
  leaving(): Promise<void>;
}

/** Makes the notices of a node. */
export function createNotices({ peers, book, notify, own, logger }: NoticesDeps): Notices {
  const understands = ({ name }: KnownPeer) => book.get(name)?.capabilities.notices === true;
  const tell = async (peer: KnownPeer, notice: Uint8Array) => {
    if (!understands(peer)) return;
    await notify(peer, notice).catch((error: unknown) => {
      logger.debug('Cannot send a notice', { peer: peer.name, error });
    });
  };
  const tellAll = async (notice: Uint8Array) => {
    const told: Promise<void>[] = [];
    for (const peer of peers.all()) if (peer.isConnected) told.push(tell(peer, notice));
    await Promise.all(told);
  };
  return {
    // Tells all connected peers. The closest peers of today hold the records, and so do peers that were the closest
    // while fewer nodes were known. A peer that is not connected finds out when it asks.
    withdrawn(keys) {
      const multihashes = keys.map(contentMultihash);
      for (let start = 0; start < multihashes.length; start += MAX_WITHDRAWN_PER_NOTICE) {
        const part = multihashes.slice(start, start + MAX_WITHDRAWN_PER_NOTICE);
        void tellAll(encodeNotice({ withdrawn: part }));
      }
    },
    suspects(names) {
      const suspects = names.slice(0, MAX_SUSPECTS_PER_NOTICE).map((name) => Uint8Array.fromHex(name));
      void tellAll(encodeNotice({ suspects }));
    },
    introduce(name) {
      const peer = peers.get(name);
      const hasMore = own.zone !== undefined || own.nodeName !== undefined;
      if (peer !== undefined && hasMore) void tell(peer, encodeNotice(own));
    },
    parting: async (peer) => tell(peer, encodeNotice({ parting: true })),
    leaving: async () => tellAll(encodeNotice({ leaving: true })),
  };
}
