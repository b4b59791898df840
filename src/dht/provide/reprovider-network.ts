import type { Logger } from '../../observe/log.ts';
import { abortable } from '../../runtime/abortable.ts';
import type { DialLimiter } from '../peers/dial-limiter.ts';
import type { PeerBook } from '../peers/peer-book-contract.ts';
import type { KnownPeer, PeerTable } from '../peers/peer-table.ts';
import { encodeAddProviders } from '../wire/add-provider-message.ts';
import type { NamedPeer } from '../wire/dht-message.ts';
import type { ProviderRecords } from './provider-records.ts';
import type { ReproviderNetwork } from './reprovider-contract.ts';

/** What createReproviderNetwork needs. */
export interface ReproviderNetworkDeps {
  readonly self: { readonly name: string; readonly encoded: () => Uint8Array };
  readonly peers: Pick<PeerTable, 'all' | 'closest' | 'get' | 'isAmongClosest' | 'size'>;
  readonly book: Pick<PeerBook, 'happened' | 'used'>;
  readonly dials: Pick<DialLimiter, 'connect'>;
  readonly records: Pick<ProviderRecords, 'add' | 'remove'>;
  /** Sends the peer messages that have no answer; resolves when the peer has taken them. */
  readonly deliver: (peer: NamedPeer, messages: Uint8Array) => Promise<void>;
  /** The peer has taken something. */
  readonly onHeard: (name: string) => void;
  readonly logger: Logger;
}

/** The peers of a node as its reprovider sees them. */
export function createReproviderNetwork(deps: ReproviderNetworkDeps): ReproviderNetwork {
  const { self, peers, book, dials, records, deliver, onHeard, logger } = deps;
  const known = (name: string): KnownPeer => {
    const peer = peers.get(name);
    if (peer === undefined) throw new Error('The peer has left');
    return peer;
  };
  return {
    closestPeers: (position, count) => peers.closest(position, count).map(({ name }) => name),
    isAmongClosest: (name, position, count) => peers.isAmongClosest(name, position, count),
    positionOf: (name) => peers.get(name)?.position,
    peerCount: () => peers.size,
    isConnected: (name) => peers.get(name)?.isConnected === true,
    connect: async (name) => dials.connect(known(name)),
    async send(name, multihashes, signal) {
      book.used(name);
      const sent = deliver(known(name), encodeAddProviders(multihashes, self.encoded()));
      await abortable(sent, signal);
      onHeard(name);
    },
    keepOwn: (multihash) => void records.add(multihash, self.name),
    dropOwn: (multihash) => records.remove(multihash, self.name),
    gone(name, error) {
      logger.debug('A peer takes no records', { peer: name, error });
      book.happened('undeliverable', { name, id: Uint8Array.fromHex(name) });
    },
  };
}
