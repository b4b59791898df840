import { readFile } from 'node:fs/promises';

/** A key file has 95 bytes in hex; anything much larger is another file. */
const MAX_KEY_FILE_BYTES = 4096;
const KEY_BYTES = 32;
/** The first two lines, and what the third line is made of (libp2p specs, pnet, Private-Networks-PSK-V1). */
const HEADER = '/key/swarm/psk/1.0.0/';
const ENCODINGS: Readonly<Record<string, { readonly pattern: RegExp; readonly name: 'hex' | 'base64' }>> = {
  '/base16/': { pattern: /^[0-9a-f]{64}$/i, name: 'hex' },
  '/base64/': { pattern: /^[0-9a-z+/]{43}=?$/i, name: 'base64' },
};

/** The key of the private network cannot be used. The message says what to do. */
class SwarmKeyError extends Error {
  override readonly name = 'SwarmKeyError';
  readonly code = 'SWARM_KEY';
}

/**
 * Reads --swarm-key-file; undefined if none is set: then there is not a private network. Rejects with SwarmKeyError
 * when it is not a key: a node never joins without a key that it was to have.
 */
export async function readSwarmKey(path: string | undefined): Promise<Uint8Array | undefined> {
  if (path === undefined) return undefined;
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new SwarmKeyError(`Cannot read ${path}: --swarm-key-file needs a file with the key`, { cause });
  }
  const key = text.length > MAX_KEY_FILE_BYTES ? undefined : parseSwarmKey(text);
  if (key !== undefined) return key;
  // What is in the file is never shown.
  throw new SwarmKeyError(
    `Cannot use ${path}: its lines must be ${HEADER}, /base16/ and 64 hex digits (as from: openssl rand -hex 32)`,
  );
}

/** Parses the text of a key file; undefined if it is not a key. */
export function parseSwarmKey(text: string): Uint8Array | undefined {
  const [header, codec = '', key = '', ...rest] = text.trim().split(/\r?\n/);
  const encoding = Object.hasOwn(ENCODINGS, codec) ? ENCODINGS[codec] : undefined;
  if (header !== HEADER || encoding === undefined || !encoding.pattern.test(key) || rest.length > 0) {
    return undefined;
  }
  const bytes = Uint8Array.from(Buffer.from(key, encoding.name));
  return bytes.length === KEY_BYTES ? bytes : undefined;
}
