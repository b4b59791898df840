import type { PeerId } from '@libp2p/interface';

import type { Membership } from '../../membership/membership.ts';
import type { GuardedHost } from './guard-host.ts';
import type { MembershipGate } from './membership-gate.ts';

/** What followMembership needs. */
export interface FollowMembershipDeps {
  readonly gate: MembershipGate;
  readonly libp2p: GuardedHost;
  readonly membership: Membership;
}

/** Gets what a change of the membership means for the DHT. */
export interface MembershipFollower {
  /** Peers that are connected may be members now, or not any more, and so may their addresses. */
  changed(): void;
  /** The peer is not a member any more, or never became a member: what it left is to be forgotten. */
  dismissed(peer: PeerId): void;
  /** There are new members, which may not know this node. */
  joined(): void;
}

/** Starts to watch the host's connections and the membership; call the result to end that. */
export function followMembership(
  { gate, libp2p, membership }: FollowMembershipDeps,
  follower: MembershipFollower,
): () => void {
  let isTold = false;
  /** Once for all that changes at a time. */
  const tellSoon = () => {
    if (isTold) return;
    isTold = true;
    queueMicrotask(() => {
      isTold = false;
      follower.changed();
    });
  };
  const stopGuarding = gate.guard(libp2p, {
    admitted: tellSoon,
    dismissed: (peer) => follower.dismissed(peer),
  });
  const stopListening = membership.onChange(({ joined }) => {
    tellSoon();
    if (joined.length > 0) follower.joined();
  });
  return () => {
    stopListening();
    stopGuarding();
  };
}
