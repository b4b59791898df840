import { hkdfSync } from 'node:crypto';

import { noise } from '@chainsafe/libp2p-noise';
import { asCrypto, defaultCrypto } from '@chainsafe/libp2p-noise/crypto';

import { joinWrites } from './join-writes.ts';

/** Bytes of a key, and of a chaining key. */
const KEY_BYTES = 32;

/** The three outputs of Noise's HKDF, section 4.3: that of RFC 5869 without info. */
export function noiseHkdf(chainingKey: Uint8Array, input: Uint8Array): [Uint8Array, Uint8Array, Uint8Array] {
  const output = new Uint8Array(hkdfSync('sha256', input, chainingKey, '', 3 * KEY_BYTES));
  const part = (index: number) => output.subarray(index * KEY_BYTES, (index + 1) * KEY_BYTES);
  return [part(0), part(1), part(2)];
}

/**
 * Noise with a cipher that Bun has for messages of every length. The package takes node:crypto's chacha20-poly1305
 * from 1,200 bytes on, which Bun 1.4.5 lacks: each longer message then failed with "Unknown cipher" and ended the
 * connection that it came or went on. Its HKDF in JavaScript took some 3 % of what a node does while it connects to its
 * cluster. Each message is written in one go, see joinWrites.
 */
export function noiseForBun(): ReturnType<typeof noise> {
  const create = noise({
    crypto: {
      ...defaultCrypto,
      getHKDF: noiseHkdf,
      chaCha20Poly1305Encrypt: (...args) => asCrypto.chaCha20Poly1305Encrypt(...args),
      chaCha20Poly1305Decrypt: (...args) => asCrypto.chaCha20Poly1305Decrypt(...args),
    },
  });
  return (components) => {
    const encrypter = create(components);
    const secureOutbound = encrypter.secureOutbound.bind(encrypter);
    const secureInbound = encrypter.secureInbound.bind(encrypter);
    encrypter.secureOutbound = async (connection, options) => secureOutbound(joinWrites(connection), options);
    encrypter.secureInbound = async (connection, options) => secureInbound(joinWrites(connection), options);
    return encrypter;
  };
}
