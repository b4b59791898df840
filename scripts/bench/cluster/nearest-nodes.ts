import { createHash } from 'node:crypto';

/** A node's place in the keyspace. */
export interface PlacedNode {
  /** The node's number, from 0. */
  readonly node: number;
  readonly position: Uint8Array;
}

/** The head of a sha2-256 multihash: its code and its length (multiformats). */
const MULTIHASH_HEAD = Buffer.from([0x12, 32]);

/** Where a key of the router is in the keyspace: the sha2-256 of the sha2-256 multihash of its text. */
export function keyPosition(key: string): Uint8Array {
  return placeOf(Buffer.concat([MULTIHASH_HEAD, createHash('sha256').update(key).digest()]));
}

/** Where a multihash, that of a content or of a peer, is in the keyspace. */
export function placeOf(multihash: Uint8Array): Uint8Array {
  return createHash('sha256').update(multihash).digest();
}

/** The nodes that are nearest to the key by Kademlia's XOR metric, the nearest first. */
export function nearestNodes(key: string, nodes: readonly PlacedNode[], count: number): number[] {
  const target = keyPosition(key);
  return nodes
    .map(({ node, position }) => ({ node, distance: distanceHex(position, target) }))
    .sort((a, b) => (a.distance < b.distance ? -1 : 1))
    .slice(0, count)
    .map(({ node }) => node);
}

function distanceHex(a: Uint8Array, b: Uint8Array): string {
  return Uint8Array.from(a, (byte, index) => byte ^ (b[index] ?? 0)).toHex();
}
