import { bytesField, concat, frame, numberField } from './protocol-buffers.ts';

/** Message.type of the DHT's protocol (libp2p specs, kad-dht, RPC messages). */
const ADD_PROVIDER = 2;
const PING = 5;

/** Fields of Message and of Message.Peer in the DHT's protocol (libp2p specs, kad-dht, RPC messages). */
const MESSAGE_TYPE = 1;
const MESSAGE_KEY = 2;
const MESSAGE_PROVIDER_PEERS = 9;
const PEER_ID = 1;
const PEER_ADDRESSES = 2;

/** The bytes of a provider as they stand in every record: its peer ID and its multiaddrs, all in binary. */
export function encodeProvider(peerId: Uint8Array, multiaddrs: readonly Uint8Array[]): Uint8Array {
  return concat([
    bytesField(PEER_ID, peerId),
    ...multiaddrs.map((address) => bytesField(PEER_ADDRESSES, address)),
  ]);
}

/** One ADD_PROVIDER message with its length in front, ready for the stream. */
export function encodeAddProvider(multihash: Uint8Array, provider: Uint8Array): Uint8Array {
  return frame([
    numberField(MESSAGE_TYPE, ADD_PROVIDER),
    bytesField(MESSAGE_KEY, multihash),
    bytesField(MESSAGE_PROVIDER_PEERS, provider),
  ]);
}

/**
 * One PING message with its length in front. ADD_PROVIDER has no answer and a stream's messages are handled
 * one after the other, so the answer to a PING says that all before it were taken.
 */
export function encodePing(): Uint8Array {
  return frame([numberField(MESSAGE_TYPE, PING)]);
}
