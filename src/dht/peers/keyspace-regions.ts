import { REPLICATION } from '../limits.ts';
import { keyspacePosition } from '../wire/content-key.ts';

/**
 * Peers to expect for one question of a crawl: half of what an answer names, so that no peer of a region is cut off.
 */
const PEERS_PER_REGION = REPLICATION / 2;

/**
 * Regions into which the keyspace of so many peers is divided, a power of two. One answer can name all peers of a
 * region.
 */
export function regionsOf(peers: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, peers / PEERS_PER_REGION)));
}

/** One key for each of the regions, a power of two: its position in the keyspace is there. `random` as Math.random. */
export function keysSpread(regions: number, random: () => number): Uint8Array[] {
  const keys = new Map<number, Uint8Array>();
  while (keys.size < regions) {
    const key = Uint8Array.from({ length: 32 }, () => Math.floor(random() * 256));
    const [a = 0, b = 0] = keyspacePosition(key);
    keys.set(Math.floor(((a * 256 + b) / 65_536) * regions), key);
  }
  return [...keys.values()];
}
