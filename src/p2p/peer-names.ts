import type { PeerId } from '@libp2p/interface';
import { peerIdFromMultihash } from '@libp2p/peer-id';
import { decode as decodeMultihash } from 'multiformats/hashes/digest';

/** The ID of a peer as the DHT's room has it: the multihash of its public key. */
export function idOf(peer: PeerId): Uint8Array {
  return peer.toMultihash().bytes;
}

/** The name of a peer in the DHT's room: its ID in hex. */
export function nameOf(peer: PeerId): string {
  return idOf(peer).toHex();
}

/** The peer with the ID. Throws when that is not a multihash, or not of a public key. */
export function peerOf(id: Uint8Array): PeerId {
  return peerIdFromMultihash(decodeMultihash(id));
}

/** The peer with the name, see nameOf. */
export function peerNamed(name: string): PeerId {
  return peerOf(Uint8Array.fromHex(name));
}
