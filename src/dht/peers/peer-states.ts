/**
 * What is known of whether a peer is there, told to no other node.
 * `unknown`: never met, or too long ago to say.
 * `alive`: there is a connection, and the peer answers.
 * `silent`: there is a connection, and the peer does not answer.
 * `suspect`: its connection has just ended.
 * `parted`: its connection has ended because one of the two ends needed the room. The peer is still there.
 * `dead`: the peer cannot be reached, or has said that it leaves.
 */
export type PeerState = 'unknown' | 'alive' | 'silent' | 'suspect' | 'parted' | 'dead';

/** What happens to a peer. */
export type PeerEvent =
  /** The peer speaks the protocol on a connection, or says something new of itself. */
  | 'connected'
  /** The last connection to the peer has ended. */
  | 'disconnected'
  /** The same after one of the two ends had said that it would. */
  | 'parted'
  /** The peer does not answer on its connection. */
  | 'silenced'
  /** The peer answers again. */
  | 'answered'
  /** The peer has not answered for so long that its connection is given up. */
  | 'abandoned'
  /** The peer does not take the records that it is sent. */
  | 'undeliverable'
  /** The peer cannot be dialled. */
  | 'unreachable'
  /** The peer has said that it leaves. */
  | 'left'
  /** The peer is not a member any more. */
  | 'dismissed';

/** What follows from an event. */
export type PeerEffect =
  /** A peer that was silent is there again: what was held against it is of the past. */
  | 'returned'
  /** A peer is not there any more, and had not said that it leaves. */
  | 'lost'
  /** Other nodes may know better now which peers are there, and where: they are to be asked. */
  | 'searched'
  /** The peer is not named to others any more. */
  | 'unlisted'
  /** The peer’s connections are to end, and it is not to be dialled until it comes by itself. */
  | 'dropped'
  /** What the peer has said is to be forgotten. */
  | 'erased'
  /** Others that name the peer are not to be believed for a while. */
  | 'distrusted';

/** What becomes of a peer. */
export interface Transition {
  readonly to: PeerState;
  readonly effects: readonly PeerEffect[];
}

/**
 * The transitions of an event: by state, or where the state is not listed those of `any`. Without either nothing
 * happens.
 */
type Row = Partial<
  Record<PeerState | 'any', { readonly to?: PeerState; readonly effects?: readonly PeerEffect[] }>
>;

const TABLE: Readonly<Record<PeerEvent, Row>> = {
  connected: { any: { to: 'alive' } },
  disconnected: {
    alive: { to: 'suspect', effects: ['lost', 'searched'] },
    silent: { to: 'dead', effects: ['searched'] },
  },
  parted: { alive: { to: 'parted' }, silent: { to: 'parted' } },
  silenced: { alive: { to: 'silent', effects: ['lost'] } },
  answered: { silent: { to: 'alive', effects: ['returned'] } },
  abandoned: { any: { to: 'dead', effects: ['unlisted', 'dropped', 'searched'] } },
  undeliverable: { any: { to: 'dead', effects: ['distrusted', 'unlisted', 'dropped', 'searched'] } },
  unreachable: { any: { to: 'dead', effects: ['unlisted'] } },
  left: { any: { to: 'dead', effects: ['erased', 'unlisted', 'dropped', 'searched'] } },
  dismissed: { any: { effects: ['erased', 'unlisted'] } },
};

/** What an event does to a peer in a state. */
export function transition(state: PeerState, event: PeerEvent): Transition {
  const row = TABLE[event];
  const { to = state, effects = [] } = row[state] ?? row.any ?? {};
  return { to, effects };
}

/** The state as a lookup and a reader of `spegel peers` see it: whether content may be had from the peer. */
export type PeerLife = 'alive' | 'suspect' | 'dead' | 'unknown';

/** How a peer in the state is. */
export function lifeIn(state: PeerState): PeerLife {
  if (state === 'silent') return 'dead';
  return state === 'parted' ? 'unknown' : state;
}
