/** Addresses that are remembered: a cluster of 1,000 nodes with addresses of both families. Each takes some 200 bytes. */
const MAX_ADDRESSES = 2000;

/** What was moved between this node and one peer, in bytes. */
export interface PeerBytes {
  readonly takenBytes: number;
  readonly givenBytes: number;
}

/** Adds up what was taken from peers and given to them since this node started. */
export interface PeerTraffic {
  add(address: string, bytes: Partial<PeerBytes>): void;
  /** Of a peer with these addresses. What an address that was not heard of for long has moved may be forgotten. */
  of(addresses: readonly string[]): PeerBytes;
}

/** Has nothing yet. */
export function createPeerTraffic(): PeerTraffic {
  /** The address that was used last comes last. */
  const byAddress = new Map<string, PeerBytes>();
  const sum = (addresses: readonly string[], more: Partial<PeerBytes>): PeerBytes => {
    let { takenBytes = 0, givenBytes = 0 } = more;
    for (const address of addresses) {
      const bytes = byAddress.get(address);
      takenBytes += bytes?.takenBytes ?? 0;
      givenBytes += bytes?.givenBytes ?? 0;
    }
    return { takenBytes, givenBytes };
  };
  return {
    add(address, bytes) {
      const now = sum([address], bytes);
      byAddress.delete(address);
      byAddress.set(address, now);
      const [oldest] = byAddress.keys();
      if (byAddress.size > MAX_ADDRESSES && oldest !== undefined) byAddress.delete(oldest);
    },
    of: (addresses) => sum(addresses, {}),
  };
}
