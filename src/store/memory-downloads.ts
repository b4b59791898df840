import { appendFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, matchesDigest } from '../oci/digest.ts';
import { systemClock } from '../runtime/clock.ts';
import { createDownloadState } from './download-state.ts';
import type { Download, Downloads } from './downloads.ts';

/** Downloads for tests, which drive them. */
export interface MemoryDownloads {
  readonly downloads: Downloads;
  /** See MemoryStore.beginDownload. */
  begin(digest: Digest, options?: MemoryDownloadOptions): Promise<MemoryDownload>;
}

/** Options of a download. */
export interface MemoryDownloadOptions {
  /** Default: unknown. */
  readonly sizeBytes?: number;
  /** The time in ms for `grownMs`. Default: that of the machine's clock. */
  readonly nowMs?: () => number;
}

/** A download that the test drives. */
export interface MemoryDownload {
  /** Appends bytes. */
  grow(bytes: Uint8Array): Promise<void>;
  giveUp(): void;
  /** Takes a download that was given up up again: where it ended, or from byte 0. */
  takeUp(options?: { readonly fromStart?: boolean }): Promise<void>;
  /** Ends the download well: the store has the blob. Throws if the bytes have another digest. */
  commit(): Promise<void>;
  /** Ends the download, and removes its bytes. */
  remove(): Promise<void>;
}

/** What memory downloads need of their store. */
export interface MemoryDownloadsDeps {
  /** Moves the file of a committed download to where the blob belongs. */
  readonly onCommit: (digest: Digest, bytes: Uint8Array, file: string) => Promise<void>;
  /** The folder of the downloads' files. */
  readonly folder: string;
}

/** No downloads yet. */
export function createMemoryDownloads({ onCommit, folder }: MemoryDownloadsDeps): MemoryDownloads {
  const { downloads, ...state } = createDownloadState();
  let begun = 0;

  return {
    downloads,
    async begin(digest, { sizeBytes, nowMs = () => systemClock.nowMs() } = {}) {
      const id = `download-${begun++}`;
      const path = join(folder, id);
      let written: Uint8Array = new Uint8Array();
      let download: Download = {
        digest,
        sizeBytes,
        writtenBytes: 0,
        path,
        isRunning: true,
        grownMs: nowMs(),
      };
      const change = (changes: Partial<Download>) => {
        download = { ...download, ...changes };
        state.set(id, download);
      };
      await writeFile(path, written);
      change({});
      return {
        async grow(bytes) {
          await appendFile(path, bytes);
          written = Buffer.concat([written, bytes]);
          change({ writtenBytes: written.byteLength, grownMs: nowMs() });
        },
        giveUp: () => change({ isRunning: false }),
        async takeUp({ fromStart = false } = {}) {
          if (!fromStart) {
            change({ isRunning: true });
            return;
          }
          await truncate(path);
          written = new Uint8Array();
          change({ isRunning: true, writtenBytes: 0, grownMs: nowMs() });
        },
        async commit() {
          if (!matchesDigest(written, digest)) {
            throw new Error(`Cannot commit download of "${digest}": its bytes have another digest`);
          }
          state.delete(id);
          await onCommit(digest, written, path);
        },
        async remove() {
          await rm(path);
          state.delete(id);
        },
      };
    },
  };
}
