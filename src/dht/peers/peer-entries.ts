import { NO_CAPABILITIES, type PeerRecord } from './peer-record.ts';
import type { PeerTable } from './peer-table.ts';

/**
 * Peers that are not connected and whose claimed addresses are kept: up to 16 for each peer, of which the table has 4.
 */
const MAX_ABSENT_CLAIMS = 1000;

/** A record as the book of peers writes it. */
export type PeerEntry = { -readonly [Key in keyof PeerRecord]: PeerRecord[Key] };

/** The records of all peers, in a bounded number: a peer with ever new identities must not fill the memory. */
export interface PeerEntries {
  get(name: string): PeerEntry | undefined;
  values(): Iterable<PeerEntry>;
  /** The record of the peer, made if there is none; the last to be forgotten. */
  touch(id: Uint8Array, name?: string): PeerEntry;
  /**
   * Notes whether the peer is connected. A peer that is connected is not forgotten: connections have a bound of their
   * own.
   */
  setPresent(entry: PeerEntry, isPresent: boolean): void;
  /** Notes what the peer says of where it is. */
  setClaim(entry: PeerEntry, claimed: readonly Uint8Array[] | undefined): void;
}

/** What createPeerEntries needs. */
export interface PeerEntriesDeps {
  /** Peers in the table are not forgotten either: it has a bound of its own. */
  readonly peers: Pick<PeerTable, 'get' | 'size'>;
  readonly nowMs: () => number;
}

/** Makes room for `maxPeers` peers beside the peers that are connected or in the table. */
export function createPeerEntries({ peers, nowMs }: PeerEntriesDeps, maxPeers: number): PeerEntries {
  /** The peer to which something happened last comes last. */
  const entries = new Map<string, PeerEntry>();
  let presentCount = 0;
  let absentClaims = 0;

  const setClaim = (entry: PeerEntry, claimed: readonly Uint8Array[] | undefined) => {
    if (!entry.isPresent) absentClaims += Number(claimed !== undefined) - Number(entry.claimed !== undefined);
    entry.claimed = claimed;
  };
  const forgetOldest = () => {
    let excess = entries.size - presentCount - peers.size - maxPeers;
    let claims = absentClaims - MAX_ABSENT_CLAIMS;
    for (const entry of entries.values()) {
      if (excess <= 0 && claims <= 0) return;
      if (entry.isPresent) continue;
      const isListed = peers.get(entry.name) !== undefined;
      if (entry.claimed !== undefined && (claims > 0 || (excess > 0 && !isListed))) {
        setClaim(entry, undefined);
        claims--;
      }
      if (excess > 0 && !isListed) {
        entries.delete(entry.name);
        excess--;
      }
    }
  };

  return {
    get: (name) => entries.get(name),
    values: () => entries.values(),
    touch(id, name = id.toHex()) {
      const before = entries.get(name);
      const entry = before ?? {
        name,
        id: Uint8Array.from(id),
        isPresent: false,
        state: 'unknown',
        sinceMs: nowMs(),
        heardMs: nowMs(),
        claimed: undefined,
        capabilities: NO_CAPABILITIES,
        zone: undefined,
        nodeName: undefined,
        usedMs: 0,
        partedMs: -Infinity,
        leftMs: -Infinity,
      };
      entries.delete(name);
      entries.set(name, entry);
      if (before === undefined) forgetOldest();
      return entry;
    },
    setPresent(entry, isPresent) {
      if (entry.isPresent === isPresent) return;
      entry.isPresent = isPresent;
      presentCount += isPresent ? 1 : -1;
      if (entry.claimed !== undefined) absentClaims += isPresent ? -1 : 1;
      if (!isPresent) forgetOldest();
    },
    setClaim(entry, claimed) {
      setClaim(entry, claimed);
      if (absentClaims > MAX_ABSENT_CLAIMS) forgetOldest();
    },
  };
}
