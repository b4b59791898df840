import { createHash } from 'node:crypto';

/** Message.type (libp2p specs, kad-dht, RPC messages). */
const ADD_PROVIDER = 2;
const GET_PROVIDERS = 3;
const PING = 5;
/** Fields of Message and of Message.Peer. */
const TYPE = 1;
const KEY = 2;
const PROVIDER_PEERS = 9;
const PEER_ID = 1;
const PEER_ADDRESSES = 2;
/** Wire types of protocol buffers. */
const VARINT = 0;
const BYTES = 2;
const MULTIHASH_HEAD = Buffer.from([0x12, 32]);

/** The sha2-256 multihash of a text. */
export function multihashOf(text: string): Uint8Array {
  return Buffer.concat([MULTIHASH_HEAD, createHash('sha256').update(text).digest()]);
}

/** An IPv4 address with a TCP port as a multiaddr in binary (multiaddr specification, protocol table). */
export function ipv4Multiaddr(ipv4: string, port: number): Uint8Array {
  return Uint8Array.of(0x04, ...ipv4.split('.').map(Number), 0x06, port >> 8, port & 0xff);
}

/** ADD_PROVIDER with its length in front. It has no answer. */
export function encodeAddProvider(key: Uint8Array, peerId: Uint8Array, address: Uint8Array): Uint8Array {
  const peer = Buffer.concat([bytes(PEER_ID, peerId), bytes(PEER_ADDRESSES, address)]);
  return message(ADD_PROVIDER, bytes(KEY, key), bytes(PROVIDER_PEERS, peer));
}

/** GET_PROVIDERS with its length in front. */
export function encodeGetProviders(key: Uint8Array): Uint8Array {
  return message(GET_PROVIDERS, bytes(KEY, key));
}

/** PING with its length in front. */
export function encodePing(): Uint8Array {
  return message(PING);
}

/** Cuts what comes over a stream into messages, without their lengths. */
export function createSplitter(): (chunk: Uint8Array) => Uint8Array[] {
  let rest: Uint8Array = new Uint8Array();
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const messages: Uint8Array[] = [];
    for (;;) {
      const head = decodeVarint(rest);
      if (head === undefined || rest.length < head.end + head.value) return messages;
      messages.push(rest.subarray(head.end, head.end + head.value));
      rest = rest.subarray(head.end + head.value);
    }
  };
}

function message(type: number, ...fields: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.concat([varint((TYPE << 3) | VARINT), varint(type), ...fields]);
  return Buffer.concat([varint(body.length), body]);
}

function bytes(field: number, value: Uint8Array): Uint8Array {
  return Buffer.concat([varint((field << 3) | BYTES), varint(value.length), value]);
}

function varint(value: number): Uint8Array {
  const encoded: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) encoded.push((rest & 0x7f) | 0x80);
  return Uint8Array.from([...encoded, rest]);
}

function decodeVarint(chunk: Uint8Array): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  for (const [index, byte] of chunk.entries()) {
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, end: index + 1 };
  }
  return undefined;
}
