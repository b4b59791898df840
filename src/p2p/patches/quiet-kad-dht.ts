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
 * Takes away what kad-dht does by itself, before it is started. These are walks every 5 minutes (the crawler asks a
 * tenth of that on kept streams), and a probe of each peer that connects (it is there: it has just told its protocols).
 * Also tags for the 20 closest peers, which libp2p then keeps dialling (createPeerConnections does that, for all).
 */
export function quietKadDht(dht: KadDHT): void {
  const { routingTableRefresh, routingTable } = dht as unknown as BusyParts;
  const nothing = async () => {};
  routingTableRefresh.afterStart = nothing;
  routingTable.closestPeerTagger.start = nothing;
  routingTable.kb.verify = async () => true;
}
