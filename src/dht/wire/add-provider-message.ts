import { asBuffer } from '../../runtime/as-buffer.ts';
import { encodeMessage, MESSAGE_TYPES } from './dht-message.ts';

/**
 * ADD_PROVIDER messages for each of the multihashes, which are all of one length, each with its length in front. The
 * provider as encodePeer writes it.
 */
export function encodeAddProviders(multihashes: readonly Uint8Array[], provider: Uint8Array): Uint8Array {
  const [first] = multihashes;
  if (first === undefined) return new Uint8Array(0);
  // The messages differ in the key alone: written once and copied, as a sweep sends tens of thousands.
  const message = encodeMessage({ type: MESSAGE_TYPES.addProvider, key: first, providers: [provider] });
  const keyAt = asBuffer(message).indexOf(first);
  const messages = new Uint8Array(message.length * multihashes.length);
  for (const [index, multihash] of multihashes.entries()) {
    messages.set(message, index * message.length);
    messages.set(multihash, index * message.length + keyAt);
  }
  return messages;
}

/**
 * One PING message with its length in front. ADD_PROVIDER has no answer, and a stream's messages are handled one after
 * the other. So the answer to a PING says that all messages before it were taken.
 */
export function encodePing(): Uint8Array {
  return encodeMessage({ type: MESSAGE_TYPES.ping });
}
