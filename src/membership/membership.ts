/**
 * How a peer that connects from an address stands with the cluster. A pending peer may become a member soon. Until
 * then, and for a while, it may connect and ask; it is not handed out, not a provider and not a source of bytes.
 */
export type Standing = 'member' | 'pending' | 'denied';

/** What changed. A pending peer that is denied from then on is in neither list. */
export interface MembershipChange {
  /** Addresses that are members' now, in one spelling (see canonicalIp). */
  readonly joined: readonly string[];
  /** Addresses that are not members' any more. */
  readonly left: readonly string[];
}

/** Figures of this moment, for metrics. */
export interface MembershipStats {
  /** Addresses that are members'; undefined where no source lists them. */
  readonly members: number | undefined;
  readonly pending: number;
  /** Connections that were refused or closed since the start because of their address. */
  readonly refused: number;
}

/**
 * Which peers belong to the cluster, by IP address (without brackets or zone, in any spelling). Never loopback,
 * link-local, multicast or unspecified addresses: no other node can be reached there.
 */
export interface Membership extends AsyncDisposable {
  /**
   * True if the address is a member's now. Only then it is dialled, handed out as a provider's, or a source of bytes.
   * Cheap, to be asked each time: the answer changes.
   */
  admits(ip: string): boolean;
  /**
   * Like admits, but asks for news first when the address is not known, at bounded rates. Waits for an answer at most a
   * few seconds.
   */
  knock(ip: string): Promise<boolean>;
  /** How the address stands. Unlike arrive this changes nothing. */
  standing(ip: string): Standing;
  /**
   * A peer connects from the address, or is still connected: says whether to let it be, and takes note of a new
   * address.
   */
  arrive(ip: string): Standing;
  /**
   * A connection with the address is open; call the result when it closes. An address with a connection gets the grace
   * of a rolling update.
   */
  opened(ip: string): () => void;
  /** Calls the listener whenever the standing of an address may have changed; call the result to end that. */
  onChange(listener: (change: MembershipChange) => void): () => void;
  stats(): MembershipStats;
}

/** A membership without any condition: for hosts of tests. */
export const everybody: Membership = {
  admits: () => true,
  knock: async () => true,
  standing: () => 'member',
  arrive: () => 'member',
  opened: () => () => {},
  onChange: () => () => {},
  stats: () => ({ members: undefined, pending: 0, refused: 0 }),
  async [Symbol.asyncDispose]() {},
};
