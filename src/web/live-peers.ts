import type { LivePeer, LivePeers } from './live-report.ts';
import type { LiveNews, LiveSection } from './live-section.ts';

/** Peers that are told: what a page can show. */
const MAX_PEERS = 2000;
/** Peers that are gone are remembered for those that did not hear of it; a stream that missed more gets all peers. */
const MAX_GONE = 2000;
/** When a state began is computed anew each time from what is rounded: a change of less is none, in ms. */
const SAME_MOMENT_MS = 2000;

interface Told {
  readonly peer: LivePeer;
  readonly text: string;
  readonly version: number;
}

/** The peers, of which only those are told that have changed. */
export function createPeersSection(read: () => readonly LivePeer[]): LiveSection {
  const told = new Map<string, Told>();
  /** In the order in which they were gone. */
  const gone = new Map<string, number>();
  let version = 0;
  /** What was gone before is forgotten. */
  let goneSince = 0;

  const settle = (peer: LivePeer): LivePeer => {
    const before = told.get(peer.id)?.peer;
    const { state, stateSinceMs } = peer;
    const isSame =
      before?.state === state &&
      before.stateSinceMs !== undefined &&
      stateSinceMs !== undefined &&
      Math.abs(before.stateSinceMs - stateSinceMs) < SAME_MOMENT_MS;
    return isSame ? { ...peer, stateSinceMs: before.stateSinceMs } : peer;
  };
  const forget = (id: string) => {
    told.delete(id);
    gone.set(id, version + 1);
    if (gone.size <= MAX_GONE) return;
    for (const [oldest, at] of gone) {
      gone.delete(oldest);
      goneSince = at;
      return;
    }
  };

  return {
    refresh() {
      const peers = mostOf(read());
      const ids = new Set(peers.map(({ id }) => id));
      let isChanged = version === 0;
      for (const id of told.keys()) {
        if (ids.has(id)) continue;
        forget(id);
        isChanged = true;
      }
      for (const each of peers) {
        const peer = settle(each);
        const text = JSON.stringify(peer);
        if (told.get(peer.id)?.text === text) continue;
        told.set(peer.id, { peer, text, version: version + 1 });
        gone.delete(peer.id);
        isChanged = true;
      }
      if (isChanged) version++;
    },
    since(seen): LiveNews | undefined {
      if (seen === version) return undefined;
      const isWhole = seen === 0 || seen < goneSince;
      const changed = [...told.values()].filter((each) => isWhole || each.version > seen);
      const left = isWhole ? [] : [...gone].filter(([, at]) => at > seen);
      // Each peer is JSON already.
      const head: Omit<LivePeers, 'peers'> = { isWhole, gone: left.map(([id]) => id) };
      const peers = changed.map(({ text }) => text).join(',');
      return { version, data: `${JSON.stringify(head).slice(0, -1)},"peers":[${peers}]}` };
    },
  };
}

/** Where there are too many, those that belong to the cluster come first. */
function mostOf(peers: readonly LivePeer[]): readonly LivePeer[] {
  if (peers.length <= MAX_PEERS) return peers;
  return peers.toSorted((a, b) => Number(b.isMember) - Number(a.isMember)).slice(0, MAX_PEERS);
}
