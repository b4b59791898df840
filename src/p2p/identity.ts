import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { privateKeyFromRaw } from '@libp2p/crypto/keys';
import type { Ed25519PrivateKey } from '@libp2p/interface';

import { type Logger, silentLogger } from '../observe/log.ts';
import { writeFileAtomically } from '../runtime/write-file-atomically.ts';

/** The name of the key file below --data-dir (the contract with Spegel). */
const KEY_FILE = 'private.key';
/** Only the owner may read a key that is written here. */
const KEY_FILE_MODE = 0o600;
/** Bits that let other users than the owner at the key. */
const OPEN_TO_OTHERS = 0o077;
/** A PEM of an Ed25519 key has 119 bytes; anything much larger is another file. */
const MAX_KEY_FILE_BYTES = 4096;

/** The key file cannot be used. The message says what to do. */
class IdentityError extends Error {
  override readonly name = 'IdentityError';
  readonly code = 'IDENTITY';
}

/**
 * The identity of this node. With a data directory it is read from `private.key` there, or made and written (PEM
 * PKCS#8, mode 0600, atomically). Without a data directory it is new on every start. As with Spegel (Go), the file may
 * be a link, as in a mounted Secret, and may have any mode; a key that others can read is a warning in the log. Rejects
 * with IdentityError when the file is there and cannot be used: a node never changes its identity by itself.
 */
export async function loadIdentity(
  dataDir?: string,
  { logger = silentLogger }: { readonly logger?: Logger } = {},
): Promise<Ed25519PrivateKey> {
  if (dataDir === undefined || dataDir === '') return toLibp2p(generateKey());
  const path = join(dataDir, KEY_FILE);
  const pem = await readKeyFile(path, logger);
  if (pem !== undefined) return toLibp2p(parseKey(pem, path));
  const key = generateKey();
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    await writeFileAtomically(path, key.export({ format: 'pem', type: 'pkcs8' }), { mode: KEY_FILE_MODE });
  } catch (cause) {
    throw new IdentityError(
      `Cannot write ${path}: --data-dir must be a folder that this process can write to`,
      { cause },
    );
  }
  return toLibp2p(key);
}

function generateKey(): KeyObject {
  return generateKeyPairSync('ed25519').privateKey;
}

/**
 * From both halves: with the seed alone libp2p computes the public half in JavaScript, which is a quarter of a start.
 */
function toLibp2p(key: KeyObject): Ed25519PrivateKey {
  const { d, x } = key.export({ format: 'jwk' });
  if (d === undefined || x === undefined) {
    throw new IdentityError('Cannot read both halves of an Ed25519 key');
  }
  const halves = [d, x].map((half) => Buffer.from(half, 'base64url'));
  const made = privateKeyFromRaw(Uint8Array.from(Buffer.concat(halves)));
  if (made.type !== 'Ed25519') throw new IdentityError(`Cannot use a key of type ${made.type}`);
  return made;
}

async function readKeyFile(path: string, logger: Logger): Promise<string | undefined> {
  // Not blocking: to open a FIFO would wait for a writer.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: unknown) => {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unreadable(path, cause);
  });
  if (file === undefined) {
    if (await isLink(path)) {
      throw new IdentityError(
        `${path} is a link that leads nowhere: restore what it leads to, or remove it to get a new identity`,
      );
    }
    return undefined;
  }
  await using _closed = file;
  const stats = await file.stat();
  if (!stats.isFile()) throw unreadable(path);
  if ((stats.mode & OPEN_TO_OTHERS) !== 0) {
    logger.warn("others than this process's user may read the node's private key; chmod 600 ends that", {
      path,
      mode: (stats.mode & 0o777).toString(8).padStart(4, '0'),
    });
  }
  if (stats.size > MAX_KEY_FILE_BYTES) throw notAKey(path);
  return await file.readFile('utf8');
}

function parseKey(pem: string, path: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: pem, format: 'pem' });
  } catch (cause) {
    throw notAKey(path, cause);
  }
  if (key.asymmetricKeyType !== 'ed25519') throw notAKey(path);
  return key;
}

async function isLink(path: string): Promise<boolean> {
  return lstat(path).then(
    (stats) => stats.isSymbolicLink(),
    () => false,
  );
}

function unreadable(path: string, cause?: unknown): IdentityError {
  return new IdentityError(`Cannot open ${path}: it must be a regular file that this process can read`, {
    cause,
  });
}

function notAKey(path: string, cause?: unknown): IdentityError {
  return new IdentityError(
    `${path} is not an Ed25519 key in PEM PKCS#8 form: restore it, or remove it to get a new identity`,
    { cause },
  );
}
