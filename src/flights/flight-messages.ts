import type { Digest } from '../oci/digest.ts';

/**
 * What a node asks the tower of a digest: from which node it is to take the content. Nodes are named as in FlightNetwork.
 */
export interface FlightQuestion {
  readonly digest: Digest;
  /** The node that downloads the image from upstream, as far as the asker knows: it may be the asker itself. */
  readonly leader: string | undefined;
  /** Nodes that did not have the content, or broke. */
  readonly bad: readonly string[];
  /** Nodes that had no room for one more reader. */
  readonly full: readonly string[];
  /** A node of the asker's zone could not be reached: nodes there come last. */
  readonly avoidsOwnZone?: boolean | undefined;
  /** Only the leader is asked for, none of the bad nodes: the digest is that of a manifest that the asker has. */
  readonly isAboutLeader?: boolean | undefined;
  /**
   * The asker has so many bytes from the last of the bad nodes, and only asks whether another node is far ahead. Then `take`
   * names that node, without giving the asker another place, and `upstream` says that there is none.
   */
  readonly lagsAtByte?: number | undefined;
}

/**
 * What the tower answers. `take`: from this node, which has the content or is downloading it. `upstream`: the asker is to
 * download it from upstream, for all. `leader` is the node that does so now. `led`: the leader, where only that was asked for.
 */
export type FlightAnswer =
  | { readonly verdict: 'take'; readonly from: string; readonly leader: string | undefined }
  | { readonly verdict: 'led'; readonly leader: string }
  | { readonly verdict: 'upstream' };

/**
 * What a node tells the towers of a digest that it downloads. `running`: it goes on, which is to be told again within
 * the lease; `done`: it has the content; `aborted`: it does not download it any more.
 */
export interface FlightReport {
  readonly digest: Digest;
  readonly state: 'running' | 'done' | 'aborted';
  /** True for a download from upstream; false: from another node. */
  readonly isRoot: boolean;
  /** True when bytes of it are there: others can take them. */
  readonly hasBegun: boolean;
  /** How many. */
  readonly writtenBytes: number;
}
