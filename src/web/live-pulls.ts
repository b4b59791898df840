import type { LoggedPull, PullLog } from '../observe/pull-log.ts';
import type { LivePull, LivePulls } from './live-report.ts';
import type { LiveSection } from './live-section.ts';

/** The pulls: all that run, and those that have ended since. */
export function createPullsSection(pulls: Pick<PullLog, 'running' | 'last'>): LiveSection {
  let version = 0;
  let running = '';
  /** The version in which each pull that has ended was told first, by its ID. */
  let ended = new Map<number, number>();
  return {
    refresh() {
      const now = JSON.stringify(pulls.running().map((pull) => livePull({ ...pull, outcome: 'running' })));
      const ids = pulls.last().map(({ id }) => id);
      const isNew = ids.some((id) => !ended.has(id));
      if (version > 0 && now === running && !isNew) return;
      version++;
      running = now;
      ended = new Map(ids.map((id) => [id, ended.get(id) ?? version]));
    },
    since(seen) {
      if (seen === version) return undefined;
      const fresh: LivePulls['ended'] = pulls
        .last()
        .filter(({ id }) => (ended.get(id) ?? 0) > seen)
        .map(livePull);
      return { version, data: `{"running":${running},"ended":${JSON.stringify(fresh)}}` };
    },
  };
}

type Told = Omit<LoggedPull, 'outcome' | 'misses' | 'missCount'> & Pick<LivePull, 'outcome'>;

function livePull(pull: Told): LivePull {
  const { id, image, digest, outcome, startedAtMs, durationMs, peers, blobs, blobCount } = pull;
  const { localBytes, peerBytes, flightBytes, upstreamBytes, wantedBytes } = pull;
  return {
    id,
    image,
    digest,
    outcome,
    startedAt: new Date(startedAtMs).toISOString(),
    durationMs,
    localBytes,
    peerBytes,
    flightBytes,
    upstreamBytes,
    wantedBytes,
    peers,
    blobs,
    blobCount,
  };
}
