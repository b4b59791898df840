import { noise } from '@chainsafe/libp2p-noise';
import { asCrypto, defaultCrypto } from '@chainsafe/libp2p-noise/crypto';

/**
 * Noise with a cipher that Bun has for messages of every length. The package takes node:crypto's chacha20-poly1305
 * from 1,200 bytes on, which Bun 1.4.5 lacks: each longer message then failed with "Unknown cipher" and ended the
 * connection that it came or went on.
 */
export function noiseForBun(): ReturnType<typeof noise> {
  return noise({
    crypto: {
      ...defaultCrypto,
      chaCha20Poly1305Encrypt: (...args) => asCrypto.chaCha20Poly1305Encrypt(...args),
      chaCha20Poly1305Decrypt: (...args) => asCrypto.chaCha20Poly1305Decrypt(...args),
    },
  });
}
