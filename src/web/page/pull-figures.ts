import type { PullBlob } from '../../observe/pull-log.ts';
import type { LivePull, LiveStreams } from '../live-report.ts';

/** What a row of a pull shows, put together from the pull and from what this node downloads just now. */
export interface PullFigures {
  /** From this node and from peers, with what is under way. */
  readonly savedBytes: number;
  /** From the registry, with what is under way. */
  readonly upstreamBytes: number;
  /** All that is to come; undefined: not known. */
  readonly wantedBytes: number | undefined;
  /** On the average of the whole pull, in bytes per second; undefined: nothing has come. */
  readonly bytesPerSecond: number | undefined;
  /** Content that no peer gave. */
  readonly missing: readonly PullBlob[];
}

/** Adds up a pull. */
export function pullFigures(pull: LivePull, { flights }: LiveStreams): PullFigures {
  const written = new Map(flights?.downloads.map(({ digest, writtenBytes }) => [digest, writtenBytes]));
  const missing = pull.blobs.filter(({ state }) => state === 'missing' || state === 'broken-off');
  let savedBytes = pull.localBytes + pull.peerBytes;
  let { upstreamBytes } = pull;
  if (pull.outcome === 'running') {
    for (const { state, movedBytes } of pull.blobs) if (state === 'running') savedBytes += movedBytes;
    // Of what comes from the registry only the downloads that are under way are known, by what containerd has written.
    for (const { reference, sizeBytes, movedBytes } of missing) {
      const bytes = written.get(reference);
      if (bytes === undefined || sizeBytes === undefined) continue;
      upstreamBytes -= Math.max(0, sizeBytes - Math.max(bytes, movedBytes));
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
  };
}
