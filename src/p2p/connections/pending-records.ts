import type { PeerId } from '@libp2p/interface';

/** A peer that is, or was, connected as a pending peer. */
export interface PendingPeer {
  readonly peer: PeerId;
  readonly ip: string;
  /** Records that it left. */
  readonly records: number;
}

/** Pending peers, with what they left. */
export interface PendingRecords {
  get(peer: PeerId): PendingPeer | undefined;
  all(): Iterable<PendingPeer>;
  /** The peer is a pending peer from now on. */
  add(peer: PeerId, ip: string): void;
  /** The peer leaves a record. False when it is not pending, or all pending peers together have left too many. */
  takeRecord(peer: PeerId): boolean;
  /** The peer is not pending any more, or has left nothing. False if it was not pending. */
  forget(peer: PeerId): boolean;
}

/** Starts without a peer. */
export function createPendingRecords(maxRecords: number): PendingRecords {
  const pending = new Map<string, PendingPeer & { records: number }>();
  let recordCount = 0;
  return {
    get: (peer) => pending.get(peer.toString()),
    all: () => pending.values(),
    add: (peer, ip) => void pending.set(peer.toString(), { peer, ip, records: 0 }),
    takeRecord(peer) {
      const entry = pending.get(peer.toString());
      if (entry === undefined || recordCount >= maxRecords) return false;
      recordCount++;
      entry.records++;
      return true;
    },
    forget(peer) {
      recordCount -= pending.get(peer.toString())?.records ?? 0;
      return pending.delete(peer.toString());
    },
  };
}
