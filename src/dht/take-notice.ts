import type { FailureDetector } from './peers/failure-detector.ts';
import type { PeerBook } from './peers/peer-book-contract.ts';
import type { PeerTable } from './peers/peer-table.ts';
import type { ProviderRecords } from './provide/provider-records.ts';
import { parseNotice } from './wire/notice-message.ts';

/** What createNoticeTaker needs. */
export interface NoticeTakerDeps {
  readonly peers: Pick<PeerTable, 'get'>;
  readonly book: Pick<PeerBook, 'called' | 'happened' | 'parting' | 'placed'>;
  readonly detector: Pick<FailureDetector, 'suspect'>;
  readonly records: Pick<ProviderRecords, 'remove'>;
  /** The connection to the peer is about to end, because the peer needs the room. */
  readonly onParting: (name: string) => void;
}

/** Makes what takes a notice of a peer, without its length. It throws MessageError when the notice makes no sense. */
export function createNoticeTaker({ peers, book, detector, records, onParting }: NoticeTakerDeps) {
  return (from: Uint8Array, message: Uint8Array): void => {
    const name = from.toHex();
    const { withdrawn, leaving, suspects, parting, zone, nodeName } = parseNotice(message);
    for (const multihash of withdrawn) records.remove(multihash, name);
    // A pending peer has no say about others.
    if (peers.get(name) !== undefined) for (const suspect of suspects) detector.suspect(suspect.toHex());
    if (zone !== undefined) book.placed(from, zone);
    if (nodeName !== undefined) book.called(from, nodeName);
    // The peer may not have said yet what it is.
    if (parting) {
      book.parting(from);
      onParting(name);
    }
    if (leaving) book.happened('left', { id: from, name });
  };
}
