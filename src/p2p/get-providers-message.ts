import { MAX_ADDRESSES_PER_PEER, MAX_PEERS_PER_ANSWER, REPLICATION } from './limits.ts';
import { bytesField, frame, MessageError, numberField, readFields } from './protocol-buffers.ts';

/** Message.type of the DHT's protocol (libp2p specs, kad-dht, RPC messages). */
const GET_PROVIDERS = 3;

/** Fields of Message and of Message.Peer (libp2p specs, kad-dht, RPC messages). */
const MESSAGE_TYPE = 1;
const MESSAGE_KEY = 2;
const MESSAGE_CLOSER_PEERS = 8;
const MESSAGE_PROVIDER_PEERS = 9;
const PEER_ID = 1;
const PEER_ADDRESSES = 2;

/** The longest peer ID there is, an inlined secp256k1 key, has 39 bytes. */
const MAX_PEER_ID_BYTES = 64;
/** An IPv6 address with TCP has 20 bytes, 60 with a peer ID; a DNS name may be longer. */
const MAX_ADDRESS_BYTES = 256;

/** A peer as an answer names it: not checked beyond its size. The bytes are views into the answer. */
export interface NamedPeer {
  /** The multihash of its key. */
  readonly id: Uint8Array;
  /** Multiaddrs in binary. */
  readonly addresses: readonly Uint8Array[];
}

/** What a peer says about a key. */
export interface ProvidersAnswer {
  readonly providers: readonly NamedPeer[];
  /** Peers that it knows to be close to the key. */
  readonly closer: readonly NamedPeer[];
}

/** One GET_PROVIDERS message with its length in front, ready for the stream. */
export function encodeGetProviders(multihash: Uint8Array): Uint8Array {
  return frame([numberField(MESSAGE_TYPE, GET_PROVIDERS), bytesField(MESSAGE_KEY, multihash)]);
}

/**
 * Parses the answer to GET_PROVIDERS for the multihash, without its length.
 * Peers beyond the bounds are left out, as are those without an ID or with one that is too long; a popular key has
 * thousands of providers. Throws MessageError for what is no such answer.
 */
export function parseProvidersAnswer(message: Uint8Array, multihash: Uint8Array): ProvidersAnswer {
  const providers: NamedPeer[] = [];
  const closer: NamedPeer[] = [];
  let type = 0;
  for (const { number, value, bytes } of readFields(message)) {
    if (number === MESSAGE_TYPE && value !== undefined) type = value;
    else if (bytes === undefined) continue;
    else if (number === MESSAGE_KEY && Buffer.compare(bytes, multihash) !== 0) {
      throw new MessageError('Cannot use an answer: it is about another key');
    } else if (number === MESSAGE_PROVIDER_PEERS) addPeer(providers, bytes, MAX_PEERS_PER_ANSWER);
    else if (number === MESSAGE_CLOSER_PEERS) addPeer(closer, bytes, REPLICATION);
  }
  if (type !== GET_PROVIDERS) throw new MessageError(`Cannot use an answer: it is of type ${type}`);
  return { providers, closer };
}

function addPeer(peers: NamedPeer[], bytes: Uint8Array, limit: number): void {
  if (peers.length >= limit) return;
  let id: Uint8Array | undefined;
  const addresses: Uint8Array[] = [];
  for (const field of readFields(bytes)) {
    if (field.bytes === undefined) continue;
    if (field.number === PEER_ID) id = field.bytes;
    else if (field.number !== PEER_ADDRESSES || addresses.length >= MAX_ADDRESSES_PER_PEER) continue;
    else if (field.bytes.length <= MAX_ADDRESS_BYTES) addresses.push(field.bytes);
  }
  if (id !== undefined && id.length > 0 && id.length <= MAX_PEER_ID_BYTES) peers.push({ id, addresses });
}
