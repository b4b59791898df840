import { type FSWatcher, watch } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../observe/log.ts';
import type { Clock } from '../runtime/clock.ts';
import { createDownloadState } from '../store/download-state.ts';
import type { Downloads } from '../store/downloads.ts';
import { type IngestFiles, isIngestFolder, lookAtIngest, readIngestSubject } from './ingest-files.ts';
import { firstDownload, isClosed, isWritten, nextDownloads, type SeenIngest } from './ingest-progress.ts';

const SECOND_MS = 1000;
/** Ingests that are followed; others are ignored. containerd 2.1 begins those of all layers of an image at once, at most some hundreds. */
const MAX_INGESTS = 1024;
/** Ingests with an inotify watch of their own, of the 8192 and more that the kernel gives a user. Others are polled. */
const MAX_WATCHES = 256;
/**
 * Blobs of up to so many bytes have no such watch either, if their folder is complete when it is seen first: their end, which the
 * ingest folder tells of, is all that matters, and comes at once.
 */
const UNWATCHED_BYTES = 256 * 1024;
/** Ingests of other namespaces that are remembered, so that their `ref` is not read again. */
const MAX_FOREIGN = 4096;
/** Least time between two looks at an ingest: containerd writes a new one in a dozen steps within a few ms, and 1 MiB at a time. */
const LOOK_INTERVAL_MS = 4;
/** How often ingests are looked at beside inotify, which drops events when its queue is full. */
const POLL_INTERVAL_MS = SECOND_MS / 4;
/** An ingest that has not changed for so long is not polled any more; inotify and scan() tell of it. An abandoned one lies there for a day. */
const POLL_LONGEST_MS = 30 * SECOND_MS;

/** What the watch of the ingest folder needs. */
export interface IngestWatchDeps {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Options of createIngestWatch. */
export interface IngestWatchOptions {
  /** The folder `ingest` of containerd's content directory. */
  readonly path: string;
  /** The namespace whose downloads are followed. */
  readonly namespace: string;
  /** Default 1024. */
  readonly maxIngests?: number;
  /** Default 256. */
  readonly maxWatches?: number;
}

/** Follows the downloads of a namespace in containerd's ingest folder, which it only reads. */
export interface IngestWatch extends Disposable {
  readonly downloads: Downloads;
  /** An entry of the ingest folder came or went. */
  look(id: string): void;
  /** Looks at all that is in the ingest folder, and at what was. */
  scan(): void;
}

/** An ingest that is followed. */
interface Ingest {
  readonly id: string;
  readonly folder: string;
  watcher?: FSWatcher;
  lookedMs: number;
  changedMs: number;
  /** Absent until the folder is complete. */
  seen?: SeenIngest;
}

/** Starts to follow what look() and scan() tell of; `ingest-progress.ts` says what containerd writes there. */
export function createIngestWatch(
  { clock, logger }: IngestWatchDeps,
  { path, namespace, maxIngests = MAX_INGESTS, maxWatches = MAX_WATCHES }: IngestWatchOptions,
): IngestWatch {
  const closing = new AbortController();
  const { downloads, ...state } = createDownloadState();
  const ingests = new Map<string, Ingest>();
  const foreign = new Set<string>();
  /** To be looked at again soon. */
  const due = new Set<Ingest>();
  let watches = 0;
  let hasLogged = false;
  let isLookDue = false;
  let isPolling = false;
  let scanning: 'running' | 'again' | undefined;

  function logOnce(error: unknown): void {
    if (hasLogged) return;
    hasLogged = true;
    logger.debug('downloads in progress cannot be watched, they are polled', { path, error });
  }

  function startWatch(ingest: Ingest): void {
    if (watches >= maxWatches) return;
    try {
      const watcher = watch(ingest.folder, (_event, name) => {
        // A new ingest is complete with its `data`, and the ingest folder tells of its end.
        const isOfInterest = name === null || name === 'data' || name === 'updatedat';
        if (isOfInterest && ingest.watcher === watcher) lookSoon(ingest);
      });
      watcher.on('error', (error) => {
        logOnce(error);
        endWatch(ingest);
      });
      ingest.watcher = watcher;
      watches++;
    } catch (error) {
      // Gone since the look, or no inotify watch is left.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') logOnce(error);
    }
  }
  function endWatch(ingest: Ingest): void {
    if (ingest.watcher === undefined) return;
    ingest.watcher.close();
    delete ingest.watcher;
    watches--;
  }

  function forget(ingest: Ingest): void {
    endWatch(ingest);
    due.delete(ingest);
    ingests.delete(ingest.id);
    state.delete(ingest.id);
  }

  function lookSoon(ingest: Ingest): void {
    if (clock.nowMs() - ingest.lookedMs >= LOOK_INTERVAL_MS) {
      lookNow(ingest);
      return;
    }
    due.add(ingest);
    if (isLookDue) return;
    isLookDue = true;
    clock.sleep(LOOK_INTERVAL_MS, closing.signal).then(
      () => {
        isLookDue = false;
        const ingests = [...due];
        due.clear();
        for (const ingest of ingests) lookNow(ingest);
      },
      () => {},
    );
  }

  function lookNow(ingest: Ingest): void {
    if (closing.signal.aborted || ingests.get(ingest.id) !== ingest) return;
    const nowMs = clock.nowMs();
    ingest.lookedMs = nowMs;
    const files = lookAtIngest(ingest.folder, ingest.seen?.files);
    if (files !== undefined) take(ingest, files, nowMs);
    // Without its data it was committed, and is about to be removed.
    else if (ingest.seen !== undefined || !isIngestFolder(ingest.folder)) forget(ingest);
  }

  function take(ingest: Ingest, files: IngestFiles, nowMs: number): void {
    const { seen } = ingest;
    if (seen === undefined) {
      const subject = readIngestSubject(ingest.folder, namespace);
      if (subject === undefined) {
        forget(ingest);
        if (foreign.size < MAX_FOREIGN) foreign.add(ingest.id);
        return;
      }
      const path = join(ingest.folder, 'data');
      ingest.changedMs = nowMs;
      tell(ingest, { files, download: firstDownload({ ...subject, path }, files, nowMs) });
      return;
    }
    if (files.startedAtId !== seen.files.startedAtId) {
      // Another ingest at the same path, whose folder needs another watch.
      forget(ingest);
      look(ingest.id);
      return;
    }
    if (isClosed(seen.files, files) || isWritten(seen.files, files)) {
      ingest.changedMs = nowMs;
      poll();
    }
    for (const download of nextDownloads(seen, files, nowMs)) tell(ingest, { files, download });
  }

  function tell(ingest: Ingest, seen: SeenIngest): void {
    ingest.seen = seen;
    state.set(ingest.id, seen.download);
  }

  function poll(): void {
    if (isPolling) return;
    isPolling = true;
    clock.sleep(POLL_INTERVAL_MS, closing.signal).then(
      () => {
        isPolling = false;
        for (const ingest of ingests.values()) {
          if (clock.nowMs() - ingest.lookedMs >= POLL_INTERVAL_MS / 2) lookNow(ingest);
        }
        pollWhileNeeded();
      },
      () => {},
    );
  }
  function pollWhileNeeded(): void {
    const nowMs = clock.nowMs();
    for (const { changedMs } of ingests.values()) {
      if (nowMs - changedMs < POLL_LONGEST_MS) {
        poll();
        return;
      }
    }
  }

  function look(id: string): void {
    // containerd's ids are SHA-256 in hex.
    if (closing.signal.aborted || !/^[0-9a-f]{64}$/.test(id)) return;
    const known = ingests.get(id);
    if (known !== undefined) {
      lookSoon(known);
      return;
    }
    const folder = join(path, id);
    if (!isIngestFolder(folder)) {
      foreign.delete(id);
      return;
    }
    if (foreign.has(id) || ingests.size >= maxIngests) return;
    const nowMs = clock.nowMs();
    const ingest: Ingest = { id, folder, lookedMs: nowMs, changedMs: nowMs };
    ingests.set(id, ingest);
    lookNow(ingest);
    if (ingests.get(id) !== ingest) return;
    poll();
    if (isSmall(ingest)) return;
    startWatch(ingest);
    // It may have become complete before it was watched.
    if (ingest.seen === undefined) lookSoon(ingest);
  }

  async function scanAll(): Promise<void> {
    do {
      scanning = 'running';
      const names = new Set(await readdir(path).catch(() => []));
      for (const id of [...ingests.keys(), ...foreign]) if (!names.has(id)) look(id);
      for (const name of names) look(name);
      // scan() may have been called meanwhile.
    } while ((scanning as 'running' | 'again') === 'again');
    scanning = undefined;
  }

  return {
    downloads,
    look,
    scan() {
      if (scanning === undefined) void scanAll();
      else scanning = 'again';
    },
    [Symbol.dispose]() {
      closing.abort(new Error('The watch is closed'));
      for (const ingest of ingests.values()) endWatch(ingest);
    },
  };
}

function isSmall({ seen }: Ingest): boolean {
  const { sizeBytes } = seen?.download ?? {};
  return sizeBytes !== undefined && sizeBytes <= UNWATCHED_BYTES;
}
