import type { KadDHT } from '@libp2p/kad-dht';

/** The parts of kad-dht 16.4.5 that work on their own; its types hide them. */
interface BusyParts {
  readonly routingTableRefresh: { afterStart(): Promise<void> };
  readonly routingTable: {
    readonly kb: { verify: () => Promise<boolean> };
    readonly closestPeerTagger: { start(): Promise<void> };
  };
}

/**
 * Takes away what kad-dht does by itself, before it is started: walks every 5 minutes (the crawler asks a tenth of that
 * on kept streams), a question to each peer that connects whether it is there (it is: it has just told its protocols),
 * and tags for the 20 closest peers, whom libp2p then keeps dialling (the peerConnections does that, for all).
 */
export function quietKadDht(dht: KadDHT): void {
  const { routingTableRefresh, routingTable } = dht as unknown as BusyParts;
  const nothing = async () => {};
  routingTableRefresh.afterStart = nothing;
  routingTable.closestPeerTagger.start = nothing;
  routingTable.kb.verify = async () => true;
}
