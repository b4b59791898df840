import { createHash } from 'node:crypto';
import { CID } from 'multiformats/cid';
import * as raw from 'multiformats/codecs/raw';
import { create as createMultihash } from 'multiformats/hashes/digest';

/** The multihash code of sha2-256 (multicodec table). */
const SHA2_256 = 0x12;

/** Where a routing key lives in the DHT: CIDv1, raw, sha2-256 of the key's UTF-8 bytes (the contract with Spegel). */
export function contentCid(key: string): CID {
  return CID.createV1(raw.code, createMultihash(SHA2_256, sha256(key)));
}

/** The place in the Kademlia keyspace of a multihash or a peer ID's bytes: their sha2-256. */
export function keyspacePosition(bytes: Uint8Array): Uint8Array {
  return sha256(bytes);
}

function sha256(data: string | Uint8Array): Uint8Array {
  // A plain copy: a Buffer may be a view into a shared pool.
  return Uint8Array.from(createHash('sha256').update(data).digest());
}
