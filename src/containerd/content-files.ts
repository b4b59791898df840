import { lstatSync } from 'node:fs';
import { lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type CachedFileState, cachedFileState } from '../runtime/cached-file.ts';
import { type FileState, fileState } from '../runtime/file-stamp.ts';
import { type Digest, type DigestAlgorithm, isDigest, parseDigest, splitDigest } from '../oci/digest.ts';

/** Folders below `blobs/` that are looked at. */
export const BLOB_ALGORITHMS: readonly DigestAlgorithm[] = ['sha256', 'sha512'];

/** containerd's content directory, read-only. A path is made from a parsed digest and from nothing else. */
export interface ContentFiles {
  /** The content directory. */
  readonly root: string;
  /** Folder of the downloads in progress. It may not exist. */
  readonly ingestFolder: string;
  /** Folder of all blobs of an algorithm. It may not exist. */
  folder(algorithm: DigestAlgorithm): string;
  /** The blob's file, there or not. Throws InvalidDigestError for what is no digest. */
  path(digest: Digest): string;
  /**
   * The blob's file, or that there is none, if the kernel has that in memory; undefined if it has to be asked for. Of a file of at
   * most `bytesUpTo` bytes with its bytes, if these are in memory, too.
   */
  cachedState(digest: Digest, bytesUpTo?: number): CachedFileState | 'absent' | undefined;
  /** The blob's file, undefined if there is no regular file that can be looked at. */
  state(digest: Digest): Promise<FileState | undefined>;
  /** The same at once, for a file that containerd has just written or removed: what it says of it is in memory. */
  stateNow(digest: Digest): FileState | undefined;
  /** The whole file if it has that size, undefined if it has vanished or changed or cannot be read. */
  read(digest: Digest, sizeBytes: number): Promise<Uint8Array | undefined>;
  /** Digests of all files in the blob folders, whatever namespace they belong to. Rejects if a folder is there and cannot be read. */
  list(): Promise<Set<Digest>>;
}

/** The content directory at the path (`io.containerd.content.v1.content` below containerd's root). */
export function createContentFiles(contentPath: string): ContentFiles {
  const folder = (algorithm: DigestAlgorithm) => join(contentPath, 'blobs', algorithm);
  const folders = { sha256: folder('sha256'), sha512: folder('sha512') } as const;
  const path = (digest: Digest) => {
    const { algorithm, hex } = splitDigest(parseDigest(digest));
    return `${folders[algorithm]}/${hex}`;
  };
  return {
    root: contentPath,
    ingestFolder: join(contentPath, 'ingest'),
    folder,
    path,
    cachedState: (digest, bytesUpTo) => cachedFileState(path(digest), bytesUpTo),
    state: async (digest) => fileState(await unlessFails(lstat(path(digest)))),
    stateNow(digest) {
      try {
        return fileState(lstatSync(path(digest), { throwIfNoEntry: false }));
      } catch {
        return undefined;
      }
    },
    async read(digest, sizeBytes) {
      const cached = readCached(path(digest), sizeBytes);
      if (cached !== undefined) return cached;
      const file = await unlessFails(open(path(digest), 'r'));
      if (file === undefined) return undefined;
      try {
        // One byte more than expected tells a file that has grown.
        const buffer = Buffer.allocUnsafe(sizeBytes + 1);
        let length = 0;
        while (length < buffer.length) {
          const chunk = await unlessFails(file.read(buffer, length, buffer.length - length, length));
          if (chunk === undefined || chunk.bytesRead === 0) break;
          length += chunk.bytesRead;
        }
        return length === sizeBytes ? buffer.subarray(0, length) : undefined;
      } finally {
        await file.close();
      }
    },
    async list() {
      const found = new Set<Digest>();
      for (const algorithm of BLOB_ALGORITHMS) {
        for (const name of await namesIn(folder(algorithm))) {
          const digest = `${algorithm}:${name}`;
          if (isDigest(digest)) found.add(digest);
        }
      }
      return found;
    },
  };
}

/** The whole file if it is in the kernel's memory and has that size. */
function readCached(path: string, sizeBytes: number): Uint8Array | undefined {
  const file = cachedFileState(path, sizeBytes);
  return file !== undefined && file !== 'absent' && file.sizeBytes === sizeBytes ? file.bytes : undefined;
}

/** What cannot be read, for whatever reason, cannot be served: that is as good as absent. */
async function unlessFails<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch {
    return undefined;
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
