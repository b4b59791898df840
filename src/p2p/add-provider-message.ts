import { varint } from 'multiformats';

/** Message.type of the DHT's protocol (libp2p specs, kad-dht, RPC messages). */
const ADD_PROVIDER = 2;
const PING = 5;

/** Wire types of protocol buffers. */
const VARINT = 0;
const LENGTH_DELIMITED = 2;

/** Fields of Message and of Message.Peer in the DHT's protocol (libp2p specs, kad-dht, RPC messages). */
const MESSAGE_TYPE = 1;
const MESSAGE_KEY = 2;
const MESSAGE_PROVIDER_PEERS = 9;
const PEER_ID = 1;
const PEER_ADDRESSES = 2;

/** The bytes of a provider as they stand in every record: its peer ID and its multiaddrs, all in binary. */
export function encodeProvider(peerId: Uint8Array, multiaddrs: readonly Uint8Array[]): Uint8Array {
  return concat([
    lengthDelimited(PEER_ID, peerId),
    ...multiaddrs.map((address) => lengthDelimited(PEER_ADDRESSES, address)),
  ]);
}

/** One ADD_PROVIDER message with its length in front, ready for the stream. */
export function encodeAddProvider(multihash: Uint8Array, provider: Uint8Array): Uint8Array {
  return frame([
    tag(MESSAGE_TYPE, VARINT),
    Uint8Array.of(ADD_PROVIDER),
    lengthDelimited(MESSAGE_KEY, multihash),
    lengthDelimited(MESSAGE_PROVIDER_PEERS, provider),
  ]);
}

/**
 * One PING message with its length in front. ADD_PROVIDER has no answer and a stream's messages are handled
 * one after the other, so the answer to a PING says that all before it were taken.
 */
export function encodePing(): Uint8Array {
  return frame([tag(MESSAGE_TYPE, VARINT), Uint8Array.of(PING)]);
}

function frame(parts: readonly Uint8Array[]): Uint8Array {
  const body = concat(parts);
  return concat([unsigned(body.length), body]);
}

function lengthDelimited(field: number, bytes: Uint8Array): Uint8Array {
  return concat([tag(field, LENGTH_DELIMITED), unsigned(bytes.length), bytes]);
}

function tag(field: number, wireType: number): Uint8Array {
  return Uint8Array.of((field << 3) | wireType);
}

function unsigned(value: number): Uint8Array {
  return varint.encodeTo(value, new Uint8Array(varint.encodingLength(value)));
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}
