import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { DigestAlgorithm } from '../oci/digest.ts';
import { fileState } from '../runtime/file-stamp.ts';

/*
 * The thread that hashes files, see file-hasher.ts: bytes of whole layers never pass through the main thread.
 */

/** A file to hash. */
export interface HashOrder {
  readonly id: number;
  /** Its path, or its descriptor, which stays open until the news of it. */
  readonly file: string | number;
  readonly algorithm: DigestAlgorithm;
  /** The first bytes of the file that count; undefined: all. */
  readonly sizeBytes: number | undefined;
  /** Most bytes per second; undefined: as fast as it goes. */
  readonly bytesPerSecond: number | undefined;
}

/** What became of an order; without `hex` the file could not be read, or changed meanwhile. */
export interface HashNews {
  readonly id: number;
  readonly hex?: string | undefined;
  /** See fileStamp(): that of the file that was hashed. */
  readonly stamp?: number | undefined;
}

const SECOND_MS = 1000;
const MIB = 1024 * 1024;
/** Read at once, in bytes: it fits in a processor's second-level cache, where the hash function finds it. */
const CHUNK_BYTES = MIB / 4;
/** After so many bytes the thread looks whether there is something else to do. */
const TURN_BYTES = 16 * MIB;

declare const self: Worker;
const chunk = Buffer.alloc(CHUNK_BYTES);

self.onmessage = ({ data }: MessageEvent<HashOrder>) => {
  void hash(data)
    .catch((): HashNews => ({ id: data.id }))
    .then((news) => self.postMessage(news));
};

async function hash(order: HashOrder): Promise<HashNews> {
  if (typeof order.file === 'number') return hashOpen(order.file, order);
  const file = openSync(order.file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    return await hashOpen(file, order);
  } finally {
    closeSync(file);
  }
}

async function hashOpen(
  file: number,
  { id, algorithm, sizeBytes, bytesPerSecond }: HashOrder,
): Promise<HashNews> {
  const before = fileState(fstatSync(file));
  if (before === undefined) return { id };
  // It was begun anew meanwhile.
  if (sizeBytes !== undefined && before.sizeBytes < sizeBytes) return { id };
  const endByte = Math.min(sizeBytes ?? before.sizeBytes, before.sizeBytes);
  // Slowly is a second's bytes at once, and then a rest: each rest that ends wakes the processor.
  const turnLimit = bytesPerSecond ?? TURN_BYTES;
  const hasher = new Bun.CryptoHasher(algorithm);
  let turnBytes = 0;
  for (let at = 0; at < endByte;) {
    const wantedBytes = Math.min(CHUNK_BYTES, endByte - at, turnLimit - turnBytes);
    const readBytes = readSync(file, chunk, 0, wantedBytes, at);
    if (readBytes === 0) return { id };
    hasher.update(chunk.subarray(0, readBytes));
    at += readBytes;
    turnBytes += readBytes;
    if (turnBytes < turnLimit) continue;
    turnBytes = 0;
    await (bytesPerSecond === undefined ? new Promise(setImmediate) : Bun.sleep(SECOND_MS));
  }
  const hex = hasher.digest('hex');
  // What grows behind the part that counts is no change of it.
  const isSame = sizeBytes !== undefined || fileState(fstatSync(file))?.stamp === before.stamp;
  return isSame ? { id, hex, stamp: before.stamp } : { id };
}
