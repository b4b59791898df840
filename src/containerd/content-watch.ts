import type { Logger } from '../observe/log.ts';
import type { Digest } from '../oci/digest.ts';
import { recentDigest } from '../oci/recent-digests.ts';
import type { Clock } from '../runtime/clock.ts';
import { BLOB_ALGORITHMS, type ContentFiles } from './content-files.ts';
import { watchFolder } from './watch-folder.ts';

const SECOND_MS = 1000;
/** Least time between two readings of the blob folders on behalf of the ingest folder. */
const SCAN_INTERVAL_MS = SECOND_MS;

/** What the watch of the content directory needs. */
export interface ContentWatchDeps {
  readonly files: ContentFiles;
  /** The blobs that count as present. */
  readonly known: () => ReadonlyMap<Digest, number>;
  /** The blob's file came or went. */
  readonly onBlob: (digest: Digest) => void;
  /** An entry of the ingest folder came or went; undefined: any may have. */
  readonly onIngest: (id: string | undefined) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** inotify on the content directory. */
export interface ContentWatch extends Disposable {
  /** Looks whether the folders are still those that are watched, and has the ingests looked at. */
  check(): void;
  /** Takes what is on disk now as told of. */
  acknowledge(onDisk: ReadonlySet<Digest>): void;
}

/**
 * Watches the blob folders for renames into them, and the ingest folder for downloads that end: after
 * each the blob folders are read once more, which finds what inotify dropped (its queue is bounded) and
 * folders that appeared while nobody looked.
 */
export function createContentWatch(deps: ContentWatchDeps): ContentWatch {
  const { files, known, onBlob, onIngest, clock, logger } = deps;
  const closing = new AbortController();
  let seen: ReadonlySet<Digest> | undefined;
  let scanDue = false;

  async function scanNow(): Promise<void> {
    const onDisk = await files.list();
    const before = seen;
    seen = onDisk;
    // Before the first listing everything is new, and that listing finds it.
    if (before === undefined) return;
    const present = known();
    // inotify was there first, mostly.
    for (const digest of onDisk) if (!before.has(digest) && !present.has(digest)) onBlob(digest);
    for (const digest of present.keys()) if (!onDisk.has(digest)) onBlob(digest);
  }

  function scan(): void {
    if (scanDue) return;
    scanDue = true;
    clock
      .sleep(SCAN_INTERVAL_MS, closing.signal)
      .then(() => {
        scanDue = false;
        return scanNow();
      })
      .catch((error: unknown) => {
        if (!closing.signal.aborted) logger.debug('blob folders cannot be read', { error });
      });
  }

  const watches = BLOB_ALGORITHMS.map((algorithm) =>
    watchFolder({
      path: files.folder(algorithm),
      onEntry: (name) => {
        const digest = recentDigest(`${algorithm}:${name}`);
        if (digest !== undefined) onBlob(digest);
      },
      onAttached: () => {
        scanNow().catch((error: unknown) => logger.debug('blob folders cannot be read', { error }));
      },
      logger,
    }),
  );
  watches.push(
    watchFolder({
      path: files.ingestFolder,
      onEntry(name) {
        onIngest(name);
        scan();
      },
      onAttached() {
        onIngest(undefined);
        scan();
      },
      logger,
    }),
  );

  return {
    check() {
      for (const watch of watches) watch.check();
      onIngest(undefined);
    },
    acknowledge(onDisk) {
      seen = onDisk;
    },
    [Symbol.dispose]() {
      closing.abort(new Error('The watch is closed'));
      for (const watch of watches) watch[Symbol.dispose]();
    },
  };
}
