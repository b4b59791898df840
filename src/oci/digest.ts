/** A content digest in canonical form, `sha256:<64 lower-case hex>` or `sha512:<128 hex>` (OCI image spec, descriptor.md). */
export type Digest = string & { readonly __brand: 'Digest' };

/** Algorithms that a registry must or may support (image spec, "Registered algorithms"), with their hex length. */
const HEX_LENGTH = { sha256: 64, sha512: 128 } as const;

/** The algorithm part of a digest. */
export type DigestAlgorithm = keyof typeof HEX_LENGTH;

/** Thrown by parseDigest; the message quotes the value. */
export class InvalidDigestError extends Error {
  override readonly name = 'InvalidDigestError';
  readonly code = 'DIGEST_INVALID';
}

/** True if the text is a digest of a registered algorithm in canonical (lower-case) form. */
export function isDigest(text: string): text is Digest {
  const match = /^(sha256|sha512):([0-9a-f]+)$/.exec(text);
  return match !== null && match[2]?.length === HEX_LENGTH[match[1] as DigestAlgorithm];
}

/** Parses a digest or throws InvalidDigestError. */
export function parseDigest(text: string): Digest {
  if (!isDigest(text)) {
    throw new InvalidDigestError(`Cannot parse digest ${JSON.stringify(text.slice(0, 200))}`);
  }
  return text;
}

/** The algorithm and the hex part, as they name the file below `blobs/` in an OCI layout and in containerd's content store. */
export function splitDigest(digest: Digest): { algorithm: DigestAlgorithm; hex: string } {
  const colon = digest.indexOf(':');
  return { algorithm: digest.slice(0, colon) as DigestAlgorithm, hex: digest.slice(colon + 1) };
}

/** The digest of the bytes, by the given algorithm. */
export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return parseDigest(`${algorithm}:${new Bun.CryptoHasher(algorithm).update(bytes).digest('hex')}`);
}

/** True if the bytes have the digest. */
export function matchesDigest(bytes: Uint8Array, digest: Digest): boolean {
  return digestOf(bytes, splitDigest(digest).algorithm) === digest;
}
