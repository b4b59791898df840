import {
  createHash,
  createHmac,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';

/** What a client needs of a libp2p identity. */
export interface NoiseIdentity {
  /** The key as libp2p writes it: PublicKey { Type = Ed25519, Data }. */
  readonly publicKey: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
}

/** Both directions of a secured connection; a message has at most MAX_MESSAGE_BYTES. */
export interface NoiseSession {
  /** Encrypts a message. */
  seal(message: Uint8Array): Uint8Array;
  /** Decrypts a message, without its length. Throws for one that was changed. */
  open(sealed: Uint8Array): Uint8Array;
}

/** What the handshake is made over. Each message has two bytes of length in front. */
export interface NoiseWire {
  read(n: number): Promise<Uint8Array>;
  write(bytes: Uint8Array): void;
}

/** An X25519 key pair of Noise. */
export interface NoiseKey {
  readonly secret: KeyObject;
  readonly open: Uint8Array;
}

/** Largest message before encryption, in bytes: 65,535 with its tag. */
export const MAX_MESSAGE_BYTES = 65_519;

/** 32 characters: they are the first hash themselves (Noise specification, 5.2). */
const PROTOCOL = 'Noise_XX_25519_ChaChaPoly_SHA256';
const KEY_BYTES = 32;
const TAG_BYTES = 16;
const NONCE_BYTES = 12;
const SIGNED_PREFIX = 'noise-libp2p-static-key:';
/** Fields of NoiseHandshakePayload (libp2p specs, noise). */
const IDENTITY_KEY_TAG = 0x0a;
const IDENTITY_SIGNATURE_TAG = 0x12;

/** Makes a key pair. A process of many clients may use the same for all of them: they have no secrets. */
export function createNoiseKey(): NoiseKey {
  const { privateKey, publicKey } = generateKeyPairSync('x25519');
  return { secret: privateKey, open: Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url') };
}

/** Makes the initiator's side of the handshake (libp2p specs, noise; pattern XX). The other side's identity is not looked at. */
export async function initiateNoise(
  wire: NoiseWire,
  { identity, key }: { readonly identity: NoiseIdentity; readonly key: NoiseKey },
): Promise<NoiseSession> {
  let hash: Uint8Array = Buffer.from(PROTOCOL);
  let chaining: Uint8Array = hash;
  let secret: Uint8Array = new Uint8Array();
  let nonce = 0;
  const mixHash = (bytes: Uint8Array) => {
    hash = createHash('sha256').update(hash).update(bytes).digest();
  };
  const mixKey = (theirs: Uint8Array) => {
    [chaining, secret] = derive(chaining, agree(key.secret, theirs));
    nonce = 0;
  };
  const seal = (bytes: Uint8Array) => {
    const sealed = chacha20poly1305(secret, nonceOf(nonce++), hash).encrypt(bytes);
    mixHash(sealed);
    return sealed;
  };
  const unseal = (sealed: Uint8Array) => {
    const bytes = chacha20poly1305(secret, nonceOf(nonce++), hash).decrypt(sealed);
    mixHash(sealed);
    return bytes;
  };
  // The prologue is empty, and so is the first payload.
  mixHash(new Uint8Array());
  mixHash(key.open);
  mixHash(new Uint8Array());
  wire.write(framed(key.open));
  const answer = await wire.read((await wire.read(2)).reduce((size, byte) => size * 256 + byte, 0));
  const ephemeral = answer.subarray(0, KEY_BYTES);
  mixHash(ephemeral);
  mixKey(ephemeral);
  const staticEnd = KEY_BYTES + KEY_BYTES + TAG_BYTES;
  mixKey(unseal(answer.subarray(KEY_BYTES, staticEnd)));
  unseal(answer.subarray(staticEnd));
  const own = seal(key.open);
  mixKey(ephemeral);
  const signature = identity.sign(Buffer.concat([Buffer.from(SIGNED_PREFIX), key.open]));
  const payload = Buffer.concat([
    Uint8Array.of(IDENTITY_KEY_TAG, identity.publicKey.length),
    identity.publicKey,
    Uint8Array.of(IDENTITY_SIGNATURE_TAG, signature.length),
    signature,
  ]);
  wire.write(framed(Buffer.concat([own, seal(payload)])));

  const [sendKey, receiveKey] = derive(chaining, new Uint8Array());
  let sent = 0;
  let received = 0;
  return {
    seal: (message) => chacha20poly1305(sendKey, nonceOf(sent++)).encrypt(message),
    open: (sealed) => chacha20poly1305(receiveKey, nonceOf(received++)).decrypt(sealed),
  };
}

/** The bytes with their length in two bytes in front. */
export function framed(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes]);
}

function agree(secret: KeyObject, open: Uint8Array): Uint8Array {
  const x = Buffer.from(open).toString('base64url');
  const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' });
  return diffieHellman({ privateKey: secret, publicKey });
}

/** Noise's HKDF with two outputs. */
function derive(chaining: Uint8Array, input: Uint8Array): [Uint8Array, Uint8Array] {
  const hmac = (key: Uint8Array, ...parts: readonly Uint8Array[]) => {
    const mac = createHmac('sha256', key);
    for (const part of parts) mac.update(part);
    return Uint8Array.from(mac.digest());
  };
  const base = hmac(chaining, input);
  const first = hmac(base, Uint8Array.of(1));
  return [first, hmac(base, first, Uint8Array.of(2))];
}

/** Four zero bytes and the counter, least significant byte first. */
function nonceOf(counter: number): Uint8Array {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeUInt32LE(counter % 2 ** 32, 4);
  nonce.writeUInt32LE(Math.floor(counter / 2 ** 32), 8);
  return nonce;
}
