import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import type { Digest } from '../oci/digest.ts';
import { recentDigest } from '../oci/recent-digests.ts';

/** The longest `ref` that is read; containerd's own have some 100 bytes. */
const MAX_REF_BYTES = 4096;
/** The longest `total` that is read: every number of bytes fits. */
const MAX_TOTAL_BYTES = 32;

/** What an ingest folder holds at a moment. */
export interface IngestFiles {
  /** Size of `data` in bytes. */
  readonly writtenBytes: number;
  /** When `data` was written last, in ms of the file system's clock, whose steps may be as long as 10 ms. */
  readonly writtenAtMs: number;
  /** When `startedat` was written. */
  readonly startedAtMs: number;
  /** When `updatedat` was written. */
  readonly updatedAtMs: number;
  /** Tells one ingest from another at the same path. */
  readonly startedAtId: string;
  /** Tells one `updatedat` from another: containerd writes it anew beside the old file and renames it into place. */
  readonly updatedAtId: string;
}

/** What an ingest is for; it stays the same as long as the ingest is there. */
export interface IngestSubject {
  readonly digest: Digest;
  /** What containerd calls it within its namespace. */
  readonly ref: string;
  /** Undefined if whoever downloads the blob does not know its size. */
  readonly sizeBytes: number | undefined;
}

// All of this is synchronous: containerd has just written what is looked at, so each call takes microseconds, where a
// detour over the thread pool takes ten times as long, and nothing changes between two looks at one folder.

/** True if there is a folder, and not a link, which may lead out of the content directory. */
export function isIngestFolder(folder: string): boolean {
  try {
    return lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch {
    return false;
  }
}

/**
 * Looks at an ingest folder. Undefined if containerd is about to make or to remove it, or if it cannot be looked at. With what was
 * seen there before, it looks at less.
 */
export function lookAtIngest(folder: string, before?: IngestFiles): IngestFiles | undefined {
  try {
    // containerd makes `data` last, so the others are complete when it is there.
    const data = lstatSync(`${folder}/data`, { throwIfNoEntry: false });
    if (data?.isFile() !== true) return undefined;
    const { size: writtenBytes, mtimeMs: writtenAtMs } = data;
    const updatedAt = lstatSync(`${folder}/updatedat`, { throwIfNoEntry: false });
    if (updatedAt === undefined) return undefined;
    const updatedAtMs = updatedAt.mtimeMs;
    const updatedAtId = `${updatedAt.ino}:${updatedAtMs}`;
    // Another ingest has another `updatedat`, too, and begins with fewer bytes.
    if (before?.updatedAtId === updatedAtId && writtenBytes >= before.writtenBytes) {
      return { ...before, writtenBytes, writtenAtMs };
    }
    const startedAt = lstatSync(`${folder}/startedat`, { throwIfNoEntry: false });
    if (startedAt === undefined) return undefined;
    const startedAtMs = startedAt.mtimeMs;
    const startedAtId = `${startedAt.ino}:${startedAtMs}`;
    return { writtenBytes, writtenAtMs, startedAtMs, startedAtId, updatedAtMs, updatedAtId };
  } catch {
    return undefined;
  }
}

/** What the ingest in a folder that could be looked at is for; undefined if it is not a blob of the namespace. */
export function readIngestSubject(folder: string, namespace: string): IngestSubject | undefined {
  const named = parseRef(readStart(`${folder}/ref`, MAX_REF_BYTES) ?? '', namespace);
  if (named === undefined) return undefined;
  const total = readStart(`${folder}/total`, MAX_TOTAL_BYTES) ?? '';
  const sizeBytes = /^[0-9]+$/.test(total) ? Number(total) : 0;
  return { ...named, sizeBytes: sizeBytes > 0 && Number.isSafeInteger(sizeBytes) ? sizeBytes : undefined };
}

/** Reads `<namespace>/<number>/<kind>-<digest>`, as containerd names what it downloads for a namespace. */
function parseRef(text: string, namespace: string): Pick<IngestSubject, 'digest' | 'ref'> | undefined {
  if (!text.startsWith(`${namespace}/`)) return undefined;
  const [, ref = '', name = ''] = /^[0-9]+\/([^/]*-([^-/]+))$/.exec(text.slice(namespace.length + 1)) ?? [];
  const digest = recentDigest(name);
  return digest && { digest, ref };
}

/** What was read last. */
const start = Buffer.alloc(MAX_REF_BYTES);

/** The whole of a regular file of up to `maxBytes`, undefined for anything else. */
function readStart(path: string, maxBytes: number): string | undefined {
  let file: number | undefined;
  try {
    // A link may lead anywhere, and opening a pipe would wait for its writer.
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stats = fstatSync(file);
    if (!stats.isFile() || stats.size > maxBytes) return undefined;
    return start.toString('utf8', 0, readSync(file, start, 0, maxBytes, 0));
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
