import type { Digest } from '../oci/digest.ts';
import type { Peer } from '../routing/router.ts';
import type { Clock } from '../runtime/clock.ts';
import { lruSet } from '../runtime/lru-set.ts';

const HOUR_MS = 3600 * 1000;
/** How long a peer is not asked for a blob of which it gave wrong bytes: it was told, and says itself when it is right again. */
const BLOB_BAN_MS = HOUR_MS;
/** How long a peer that gave wrong bytes of several blobs is asked for nothing. */
const PEER_BAN_MS = HOUR_MS;
/**
 * How long a peer that alone gave wrong bytes of one blob is asked for nothing: it hashes its file meanwhile, and the next try of the
 * pull, whose other layers came from it, too, does not meet it again.
 */
const PEER_REST_MS = 60 * 1000;
/** So many blobs of which a peer alone gave wrong bytes, within the time of a ban, are no accident. */
const WRONG_BLOBS_PER_PEER = 2;
/** Bans that are remembered: of blobs, and of peers. */
const MAX_BANS = 1000;

/** Where bytes came from: a peer, and the address of it that gave them. */
export interface Giver {
  readonly peer: Peer;
  readonly host: string;
}

/** Remembers which peers gave bytes that containerd refused. */
export interface WrongPeers {
  /** True for a peer that is not to be asked for the key. Another peer at the same address is the same peer. */
  bans(peer: Peer, key: string): boolean;
  /** The peers gave a blob with wrong bytes in it. It is held against a peer in general only if it gave all of them. */
  gaveWrong(digest: Digest, givers: readonly Giver[], isSure: boolean): void;
}

/** Remembers nothing yet. */
export function createWrongPeers(clock: Pick<Clock, 'nowMs'>): WrongPeers {
  /** By digest and address: the end of the ban. Not by peer ID: which addresses an ID has, other nodes say. */
  const blobBans = new Map<string, number>();
  /** By address: the blobs of which it gave wrong bytes, each with the end of its time. */
  const wrongBlobs = new Map<string, ReadonlyMap<Digest, number>>();

  const isBanned = (host: string, nowMs: number) => {
    const untilMs = [...(wrongBlobs.get(host)?.values() ?? [])].filter((until) => nowMs < until);
    const isResting = untilMs.some((until) => nowMs < until - PEER_BAN_MS + PEER_REST_MS);
    return isResting || untilMs.length >= WRONG_BLOBS_PER_PEER;
  };

  return {
    bans({ addresses }, key) {
      if (blobBans.size === 0 && wrongBlobs.size === 0) return false;
      const nowMs = clock.nowMs();
      return addresses.some(
        (host) => nowMs < (blobBans.get(`${key} ${host}`) ?? -Infinity) || isBanned(host, nowMs),
      );
    },
    gaveWrong(digest, givers, isSure) {
      const nowMs = clock.nowMs();
      for (const { host } of givers) {
        lruSet(blobBans, `${digest} ${host}`, nowMs + BLOB_BAN_MS, MAX_BANS);
        if (!isSure) continue;
        const before = [...(wrongBlobs.get(host) ?? [])].filter(([, untilMs]) => nowMs < untilMs);
        const blobs = new Map([...before.slice(-WRONG_BLOBS_PER_PEER), [digest, nowMs + PEER_BAN_MS]]);
        lruSet(wrongBlobs, host, blobs, MAX_BANS);
      }
    },
  };
}
