import { createCipheriv, createHash } from 'node:crypto';

/** Bytes that look random and are the same for the same seed: the AES-128-CTR key stream. They do not compress. */
export function randomBytesFrom(seed: string, size: number): Uint8Array {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16);
  const cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16));
  return cipher.update(new Uint8Array(size));
}
