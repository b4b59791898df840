import type { PeerCondition, PeerState } from './router.ts';

/** How many peers are in each state, and how many belong to the cluster. */
export type PeerCounts = Readonly<Record<PeerCondition | 'members', number>>;

/** Counts peers by state. */
export function countPeers(peers: readonly Pick<PeerState, 'state' | 'isMember'>[]): PeerCounts {
  const counts = { connected: 0, suspect: 0, dead: 0, known: 0, members: 0 };
  for (const { state, isMember } of peers) {
    counts[state]++;
    if (isMember) counts.members++;
  }
  return counts;
}

/** The counts in words, such as `3: 2 connected, 1 dead; 2 of them members`. */
export function formatPeerCounts(counts: PeerCounts): string {
  const states = (['connected', 'suspect', 'dead', 'known'] as const).filter((state) => counts[state] > 0);
  const total = states.reduce((sum, state) => sum + counts[state], 0);
  if (total === 0) return '0';
  const list = states.map((state) => `${counts[state]} ${state}`).join(', ');
  return `${total}: ${list}; ${counts.members === total ? 'all' : counts.members} of them members`;
}
