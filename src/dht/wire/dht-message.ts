import { MAX_ADDRESSES_PER_PEER, REPLICATION } from '../limits.ts';
import { bytesField, concat, frame, MessageError, numberField, readFields } from './protocol-buffers.ts';

/** Message.type (libp2p specs, kad-dht, RPC messages). */
export const MESSAGE_TYPES = {
  putValue: 0,
  getValue: 1,
  addProvider: 2,
  getProviders: 3,
  findNode: 4,
  ping: 5,
} as const;

/** Fields of Message and of Message.Peer (libp2p specs, kad-dht, RPC messages). */
const TYPE = 1;
const KEY = 2;
const CLOSER_PEERS = 8;
const PROVIDER_PEERS = 9;
const PEER_ID = 1;
const PEER_ADDRESSES = 2;

/** The longest peer ID there is, an inlined secp256k1 key, has 39 bytes. */
const MAX_PEER_ID_BYTES = 64;
/** An IPv6 address with TCP has 20 bytes, 60 with a peer ID; a DNS name may be longer. */
const MAX_ADDRESS_BYTES = 256;

/** A peer as a message names it: not checked beyond its size. The bytes are views into the message. */
export interface NamedPeer {
  /** The multihash of its key. */
  readonly id: Uint8Array;
  /** Multiaddrs in binary. */
  readonly addresses: readonly Uint8Array[];
}

/** A message of the DHT's protocol. Its peers are left as they are: most of them are known by their bytes already. */
export interface DhtMessage {
  readonly type: number;
  readonly key: Uint8Array;
  /** Each a Message.Peer. */
  readonly closer: readonly Uint8Array[];
  /** Each a Message.Peer. */
  readonly providers: readonly Uint8Array[];
}

/** The bytes of a peer as they stand in every message: its ID and its multiaddrs. */
export function encodePeer(id: Uint8Array, addresses: readonly Uint8Array[]): Uint8Array {
  return concat([
    bytesField(PEER_ID, id),
    ...addresses.map((address) => bytesField(PEER_ADDRESSES, address)),
  ]);
}

/** Parses a Message.Peer; undefined if its ID is missing or too long. What is beyond the bounds is left out. */
export function parsePeer(bytes: Uint8Array): NamedPeer | undefined {
  let id: Uint8Array | undefined;
  const addresses: Uint8Array[] = [];
  for (const field of readFields(bytes)) {
    if (field.bytes === undefined) continue;
    if (field.number === PEER_ID) id = field.bytes;
    else if (field.number !== PEER_ADDRESSES || addresses.length >= MAX_ADDRESSES_PER_PEER) continue;
    else if (field.bytes.length <= MAX_ADDRESS_BYTES) addresses.push(field.bytes);
  }
  return id === undefined || id.length === 0 || id.length > MAX_PEER_ID_BYTES ? undefined : { id, addresses };
}

/** One message with its length in front, ready for the stream. Peers are given as encodePeer writes them. */
export function encodeMessage({
  type,
  key,
  closer = [],
  providers = [],
}: Pick<DhtMessage, 'type'> & Partial<DhtMessage>): Uint8Array {
  return frame([
    numberField(TYPE, type),
    ...(key === undefined ? [] : [bytesField(KEY, key)]),
    ...closer.map((peer) => bytesField(CLOSER_PEERS, peer)),
    ...providers.map((peer) => bytesField(PROVIDER_PEERS, peer)),
  ]);
}

/**
 * Parses a message without its length. Peers beyond the bounds are left out: k closer peers, `maxProviders` providers.
 * Throws MessageError for bytes that make no sense.
 */
export function parseMessage(message: Uint8Array, maxProviders: number): DhtMessage {
  const closer: Uint8Array[] = [];
  const providers: Uint8Array[] = [];
  // The first value of an enum is what a message without the field says (proto3).
  let type = 0;
  let key = new Uint8Array(0);
  for (const { number, value, bytes } of readFields(message)) {
    if (number === TYPE && value !== undefined) type = value;
    else if (bytes === undefined) continue;
    else if (number === KEY) key = bytes as Uint8Array<ArrayBuffer>;
    else if (number === PROVIDER_PEERS && providers.length < maxProviders) providers.push(bytes);
    else if (number === CLOSER_PEERS && closer.length < REPLICATION) closer.push(bytes);
  }
  return { type, key, closer, providers };
}

/** The answer to a question about the key. Throws MessageError when the message is not such an answer. */
export function parseAnswer(
  message: Uint8Array,
  question: Pick<DhtMessage, 'type' | 'key'>,
  maxProviders: number,
): DhtMessage {
  const answer = parseMessage(message, maxProviders);
  if (answer.type !== question.type) {
    throw new MessageError(`Cannot use an answer: it is of type ${answer.type}`);
  }
  // Go leaves the key out of some answers, js-libp2p of others.
  if (answer.key.length > 0 && question.key.length > 0 && Buffer.compare(answer.key, question.key) !== 0) {
    throw new MessageError('Cannot use an answer: it is about another key');
  }
  return answer;
}
