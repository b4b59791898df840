import type { Download } from '../store/downloads.ts';
import type { IngestFiles } from './ingest-files.ts';

const SECOND_MS = 1000;
/** From `startedat` to `updatedat` of a new ingest: one small file is synced, or two steps of the file system's clock. */
const BEGIN_LONGEST_MS = 20;
/** A blob that has all its bytes for so long is not going to be committed. A commit takes one fsync. */
const COMMIT_LONGEST_MS = 25 * SECOND_MS;

// How containerd 1.6 and 2.3 write `ingest/<id>/`, as tried out:
//
// - A new writer makes `ref`, `startedat`, `updatedat`, `total` (if the size is known) and an empty `data`, in this order.
// - Bytes that are written change `data` alone.
// - A writer that is closed without a commit, as when a pull is cancelled or fails, writes `updatedat` anew, beside the old
//   file, and renames it into place.
// - A writer that takes the ingest up again changes nothing before its first byte, or cuts `data` to 0 bytes.
// - A commit renames `data` and removes the folder. One that fails, because the bytes are wrong, changes nothing more, and
//   neither does a containerd that dies.
//
// Hence the rule: a download was given up if `updatedat` changed after `data` did, and runs again once `data` changes.

/** An ingest as it was seen last. */
export interface SeenIngest {
  readonly files: IngestFiles;
  readonly download: Download;
}

/** True if a writer was closed between two looks at an ingest. */
export function isClosed(before: IngestFiles, now: IngestFiles): boolean {
  return now.updatedAtId !== before.updatedAtId;
}

/** True if bytes were written between two looks at an ingest. */
export function isWritten(before: IngestFiles, now: IngestFiles): boolean {
  return now.writtenBytes !== before.writtenBytes || now.writtenAtMs !== before.writtenAtMs;
}

/** The download of an ingest that is seen for the first time. */
export function firstDownload(
  subject: Pick<Download, 'digest' | 'sizeBytes' | 'path'>,
  files: IngestFiles,
  nowMs: number,
): Download {
  return { ...subject, writtenBytes: files.writtenBytes, isRunning: !wasClosed(files), grownMs: nowMs };
}

/** The downloads that an ingest became since it was seen last, in order: two if it has begun anew and has bytes again. */
export function nextDownloads(before: SeenIngest, files: IngestFiles, nowMs: number): Download[] {
  const downloads: Download[] = [];
  let { download } = before;
  // Only a writer that begins anew makes the bytes fewer. It may have written some again before this look.
  if (files.writtenBytes < download.writtenBytes) {
    download = { ...download, writtenBytes: 0, grownMs: nowMs };
    downloads.push({ ...download, isRunning: true });
  }
  const { writtenBytes } = files;
  const grownMs = writtenBytes > download.writtenBytes ? nowMs : download.grownMs;
  const isComplete = download.sizeBytes !== undefined && writtenBytes >= download.sizeBytes;
  const isOverdue = isComplete && nowMs - grownMs > COMMIT_LONGEST_MS;
  const isRunning = isWriting(before, files) && !isOverdue;
  downloads.push({ ...download, writtenBytes, isRunning, grownMs });
  return downloads;
}

function isWriting({ files: before, download }: SeenIngest, now: IngestFiles): boolean {
  // If both changed, the later of the changes counts.
  if (isClosed(before, now)) return isWritten(before, now) && now.writtenAtMs > now.updatedAtMs;
  return isWritten(before, now) || download.isRunning;
}

/**
 * True if the ingest's writer was closed, as far as one look can say. The file system's clock may give the same time to
 * what happened in one step of it. Then a writer that has just begun is told from one that was closed by its `startedat`.
 */
export function wasClosed({ writtenBytes, writtenAtMs, startedAtMs, updatedAtMs }: IngestFiles): boolean {
  if (updatedAtMs !== writtenAtMs) return updatedAtMs > writtenAtMs;
  return writtenBytes > 0 && updatedAtMs - startedAtMs > BEGIN_LONGEST_MS;
}
