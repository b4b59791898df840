import type { PullBlob } from '../../observe/pull-log.ts';
import type { FlightDownloadReport } from '../../routing/flights-report.ts';
import type { LivePull, LiveStreams } from '../live-report.ts';

/** What a row of a pull shows, put together from the pull and from what this node downloads just now. */
export interface PullFigures {
  /** From this node and from peers, with what is under way. */
  readonly savedBytes: number;
  /** From the registry, with what is under way, as far as it is known. */
  readonly upstreamBytes: number;
  /** All that is to come; undefined: not known. */
  readonly wantedBytes: number | undefined;
  /** On the average of the whole pull, in bytes per second; undefined: nothing has come. */
  readonly bytesPerSecond: number | undefined;
  /** Content that no peer gave. */
  readonly missing: readonly PullBlob[];
  /** What containerd downloads from the registry just now, by digest. */
  readonly downloads: ReadonlyMap<string, FlightDownloadReport>;
}

/** Adds up a pull. */
export function pullFigures(pull: LivePull, { flights }: LiveStreams): PullFigures {
  const roots = pull.outcome === 'running' ? (flights?.downloads ?? []) : [];
  const downloads = new Map(
    roots.filter(({ role }) => role === 'root').map((download) => [download.digest, download]),
  );
  const missing = pull.blobs.filter(({ state }) => state === 'missing' || state === 'broken-off');
  let savedBytes = pull.localBytes + pull.peerBytes;
  let { upstreamBytes } = pull;
  if (pull.outcome === 'running') {
    for (const { state, movedBytes } of pull.blobs) if (state === 'running') savedBytes += movedBytes;
    for (const { reference, sizeBytes } of missing) {
      const download = downloads.get(reference);
      // The size of what is missing has been counted already, if a manifest has said it.
      if (download !== undefined) upstreamBytes += download.writtenBytes - (sizeBytes ?? 0);
    }
  }
  upstreamBytes = Math.max(0, upstreamBytes);
  const moved = savedBytes + upstreamBytes;
  const seconds = pull.durationMs / 1000;
  return {
    savedBytes,
    upstreamBytes,
    wantedBytes: pull.wantedBytes,
    bytesPerSecond: moved > 0 && seconds > 0 ? moved / seconds : undefined,
    missing,
    downloads,
  };
}
