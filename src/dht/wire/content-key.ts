/**
 * A multihash of sha2-256 begins with its code and the length of the hash (multihash specification, multicodec table).
 */
const SHA2_256 = [0x12, 32] as const;
/** Length of what contentMultihash returns. */
export const CONTENT_MULTIHASH_BYTES = SHA2_256.length + 32;

/**
 * Where a routing key lives in the DHT: the sha2-256 multihash of the key's UTF-8 bytes (the contract with Spegel,
 * where it is written as CIDv1, raw).
 */
export function contentMultihash(key: string): Uint8Array {
  const multihash = new Uint8Array(CONTENT_MULTIHASH_BYTES);
  multihash.set(SHA2_256);
  Bun.SHA256.hash(key, multihash.subarray(SHA2_256.length));
  return multihash;
}

/** True for what contentMultihash can return: peers of this cluster provide nothing else. */
export function isContentMultihash(bytes: Uint8Array): boolean {
  return bytes.length === CONTENT_MULTIHASH_BYTES && bytes[0] === SHA2_256[0] && bytes[1] === SHA2_256[1];
}

/** The position in the Kademlia keyspace of a multihash or a peer ID's bytes: their sha2-256. */
export function keyspacePosition(bytes: Uint8Array): Uint8Array {
  const position = new Uint8Array(SHA2_256[1]);
  Bun.SHA256.hash(bytes, position);
  return position;
}
