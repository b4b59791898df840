import { generateKeyPairSync, sign } from 'node:crypto';
import type { NoiseIdentity } from './noise-session.ts';

/** An Ed25519 identity of libp2p. */
export interface LightIdentity extends NoiseIdentity {
  /** The peer ID: the key itself as a multihash of the identity function (libp2p specs, peer IDs). */
  readonly id: Uint8Array;
}

/** PublicKey { Type = Ed25519 (1), Data = 32 bytes }. */
const PUBLIC_KEY_HEAD = Uint8Array.of(0x08, 0x01, 0x12, 0x20);
const IDENTITY_FUNCTION = 0x00;

/** Makes a new identity. */
export function createLightIdentity(): LightIdentity {
  const keys = generateKeyPairSync('ed25519');
  const raw = Buffer.from(keys.publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
  const publicKey = Buffer.concat([PUBLIC_KEY_HEAD, raw]);
  return {
    publicKey,
    id: Buffer.concat([Uint8Array.of(IDENTITY_FUNCTION, publicKey.length), publicKey]),
    sign: (message) => sign(null, message, keys.privateKey),
  };
}
