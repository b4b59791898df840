import { encodeMessage, MESSAGE_TYPES, type NamedPeer, parseAnswer, parsePeer } from './dht-message.ts';
import { MAX_PEERS_PER_ANSWER } from '../limits.ts';

/** What a peer says about a key. */
export interface ProvidersAnswer {
  readonly providers: readonly NamedPeer[];
  /** Peers that it knows to be close to the key. */
  readonly closer: readonly NamedPeer[];
}

/** One GET_PROVIDERS message with its length in front, ready for the stream. */
export function encodeGetProviders(multihash: Uint8Array): Uint8Array {
  return encodeMessage({ type: MESSAGE_TYPES.getProviders, key: multihash });
}

/**
 * Parses the answer to GET_PROVIDERS for the multihash, without its length.
 * Peers beyond the bounds are left out, as are peers whose ID is missing or too long; a popular key has thousands of
 * providers. Throws MessageError for what is not such an answer.
 */
export function parseProvidersAnswer(message: Uint8Array, multihash: Uint8Array): ProvidersAnswer {
  const question = { type: MESSAGE_TYPES.getProviders, key: multihash };
  const { providers, closer } = parseAnswer(message, question, MAX_PEERS_PER_ANSWER);
  return {
    providers: providers.flatMap((peer) => parsePeer(peer) ?? []),
    closer: closer.flatMap((peer) => parsePeer(peer) ?? []),
  };
}
