import { CONTENT_MULTIHASH_BYTES, isContentMultihash, keyspacePosition } from './wire/content-key.ts';
import { encodeMessage, MESSAGE_TYPES, parseMessage, parsePeer } from './wire/dht-message.ts';
import { MAX_PEERS_PER_ANSWER, REPLICATION } from './limits.ts';
import type { DescribedPeer } from './peers/peer-book-contract.ts';
import type { KnownPeer, PeerTable } from './peers/peer-table.ts';
import type { ProviderRecords } from './provide/provider-records.ts';
import { MessageError } from './wire/protocol-buffers.ts';

/** What createRpcHandler needs. */
export interface RpcHandlerDeps {
  /** This node's own name (hex of its ID), and itself as it stands in messages, with its addresses of this moment. */
  readonly self: { readonly name: string; encoded(): Uint8Array };
  readonly records: Pick<ProviderRecords, 'add' | 'providersOf'>;
  readonly peers: Pick<PeerTable, 'closest'>;
  /** A provider as others can be told of it, see PeerBook. */
  readonly describe: (name: string) => Pick<DescribedPeer, 'encoded'> | undefined;
  /** Peers that this node should not send others to: they are dead. */
  readonly isAvoided: (name: string) => boolean;
  /**
   * Told of the addresses that a peer gives of itself with a record. True if the record can be used: at least one of
   * them is an address that others may be sent to.
   */
  readonly introduce: (from: Uint8Array, addresses: readonly Uint8Array[]) => boolean;
  /** How many closer peers are named to a peer that asks for providers. Default k. */
  readonly closerCount?: (name: string) => number;
  /** Told of each provider that a peer is sent to. */
  readonly onTold?: (name: string) => void;
  /** A number from 0 up to, not including, 1. Default Math.random. */
  readonly random?: () => number;
}

/** Answers what other nodes of the DHT ask. */
export interface RpcHandler {
  /**
   * Takes a message of the peer, without its length, and returns the answer with its length in front, or undefined
   * for a message that has none. Throws MessageError for what makes no sense, or is not spoken here: values.
   */
  answer(from: Uint8Array, message: Uint8Array): Uint8Array | undefined;
}

/** A record names its provider, which must be its sender. A second provider would be ignored. */
const MAX_PROVIDERS_TOLD = 4;

/** Records are taken only from the peer that they name: no peer can make this node say anything about another peer. */
export function createRpcHandler({
  self,
  records,
  peers,
  describe,
  isAvoided,
  introduce,
  closerCount = () => REPLICATION,
  onTold = () => {},
  random = Math.random,
}: RpcHandlerDeps): RpcHandler {
  /** The provider of the last record, as its bytes: a peer sends thousands of records with the same bytes. */
  let lastProvider = new Uint8Array(0);
  let lastFrom = '';

  const isAbout = (provider: Uint8Array, from: Uint8Array, name: string) => {
    if (name === lastFrom && Buffer.compare(provider, lastProvider) === 0) return true;
    const peer = parsePeer(provider);
    if (peer === undefined || Buffer.compare(peer.id, from) !== 0) return false;
    if (!introduce(from, peer.addresses)) return false;
    lastProvider = Uint8Array.from(provider);
    lastFrom = name;
    return true;
  };
  /** The last record that was taken. The next records of its peer differ in the key alone, and are not parsed. */
  let template: { readonly name: string; readonly bytes: Uint8Array; readonly keyAt: number } | undefined;
  const keyOfNextRecord = (name: string, message: Uint8Array) => {
    if (template === undefined || template.name !== name || template.bytes.length !== message.length) {
      return undefined;
    }
    const { bytes, keyAt } = template;
    const keyEnd = keyAt + CONTENT_MULTIHASH_BYTES;
    for (let index = 0; index < bytes.length; index++) {
      if (index === keyAt) index = keyEnd;
      if (message[index] !== bytes[index]) return undefined;
    }
    const key = message.subarray(keyAt, keyEnd);
    return isContentMultihash(key) ? key : undefined;
  };
  const closestTo = (key: Uint8Array, name: string, count = REPLICATION) =>
    peers
      .closest(keyspacePosition(key), count, (peer) => isUseful(peer) && peer.name !== name)
      .map(({ encoded }) => encoded);
  const isUseful = (peer: KnownPeer) => peer.addresses.length > 0 && !isAvoided(peer.name);
  const providersOf = (key: Uint8Array) => {
    const usable: { readonly name: string; readonly encoded: Uint8Array }[] = [];
    for (const name of records.providersOf(key)) {
      if (name === self.name) usable.push({ name, encoded: self.encoded() });
      else if (!isAvoided(name)) {
        const peer = describe(name);
        if (peer !== undefined) usable.push({ name, encoded: peer.encoded });
      }
    }
    return sample(usable, MAX_PEERS_PER_ANSWER, random).map(({ name, encoded }) => {
      if (name !== self.name) onTold(name);
      return encoded;
    });
  };

  return {
    answer(from, message) {
      const name = from.toHex();
      const next = keyOfNextRecord(name, message);
      if (next !== undefined) {
        records.add(next, name);
        return undefined;
      }
      const { type, key, providers } = parseMessage(message, MAX_PROVIDERS_TOLD);
      switch (type) {
        case MESSAGE_TYPES.ping:
          return encodeMessage({ type });
        case MESSAGE_TYPES.addProvider:
          if (!isContentMultihash(key)) throw new MessageError('Cannot take a record: no such key');
          if (!providers.some((provider) => isAbout(provider, from, name))) return undefined;
          records.add(key, name);
          template = { name, bytes: message, keyAt: key.byteOffset - message.byteOffset };
          return undefined;
        case MESSAGE_TYPES.getProviders:
          if (key.length === 0) throw new MessageError('Cannot answer a question without a key');
          return encodeMessage({
            type,
            key,
            providers: providersOf(key),
            closer: closestTo(key, name, closerCount(name)),
          });
        case MESSAGE_TYPES.findNode: {
          if (key.length === 0) throw new MessageError('Cannot answer a question without a key');
          const closer = closestTo(key, name);
          // A peer that asks for this node by its ID wants its addresses.
          if (key.toHex() === self.name) closer.unshift(self.encoded());
          return encodeMessage({ type, key, closer: closer.slice(0, REPLICATION) });
        }
        default:
          throw new MessageError(`Cannot answer a message of type ${type}`);
      }
    },
  };
}

/** Some of the items, each as likely as another: a few of many providers are not to serve all peers. */
function sample<T>(items: T[], count: number, random: () => number): readonly T[] {
  if (items.length <= count) return items;
  for (let place = 0; place < count; place++) {
    const other = place + Math.floor(random() * (items.length - place));
    const [a, b] = [items[place], items[other]];
    if (a === undefined || b === undefined) break;
    items[place] = b;
    items[other] = a;
  }
  return items.slice(0, count);
}
