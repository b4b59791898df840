import type { Peer } from './router.ts';

/** Where the metrics listener answers with a FlightsReport, as JSON; see flightsQuery. */
export const FLIGHTS_PATH = '/debug/flights';

/** A node in a flight, as the tower of the flight knows it. */
export interface FlightNodeReport {
  /** The libp2p peer ID in base58, or its bytes in hex for a node that has gone. */
  readonly id: string;
  readonly addresses: readonly string[];
  /** The ID of the node from which it takes the content; undefined: from upstream, or it has the content. */
  readonly parent?: string | undefined;
  /** `root`: it downloads from upstream; `child`: from its parent; `holder`: it has the content. */
  readonly role: string;
  /** True when bytes of it are there. */
  readonly hasBegun: boolean;
  /** Steps to the node at the top. */
  readonly depth: number;
  readonly children: number;
}

/** The nodes that want one digest, and which takes it from which. */
export interface FlightTreeReport {
  readonly digest: string;
  readonly nodes: readonly FlightNodeReport[];
}

/** A download of the asked node that is part of a flight. */
export interface FlightDownloadReport {
  readonly digest: string;
  /** The image for which it was asked for last; undefined: the node took it up after a start, or no registry was named. */
  readonly registry?: string | undefined;
  readonly repository?: string | undefined;
  /** `root`: from upstream; `child`: from another node. */
  readonly role: string;
  /** The node from which it comes; undefined for a root, or for a node that has gone. */
  readonly parent?: Peer | undefined;
  /** Bytes that are there; 0 for a download that has not begun. */
  readonly writtenBytes: number;
  readonly sizeBytes?: number | undefined;
  /** Bodies that are being given to other nodes. */
  readonly readers: number;
  /** True when it is too slow for others to wait for it. */
  readonly isStuck: boolean;
  /** The nodes that decide about the digest. */
  readonly towers: readonly Peer[];
}

/** What a node knows of flights: the answer of GET /debug/flights. */
export interface FlightsReport {
  /** The asked node's peer ID. */
  readonly self: string;
  /** The longest that a request waits for another node's first byte, in ms (--flights-max-hold). */
  readonly maxHoldMs: number;
  /** The node's own downloads. */
  readonly downloads: readonly FlightDownloadReport[];
  /** The flights of the last minute of which the node is a tower. */
  readonly flights: readonly FlightTreeReport[];
  /** With a digest in the question: the nodes that decide about it, the closest first. */
  readonly towers?: readonly Peer[] | undefined;
}

/** The question for one digest as a query. */
export function flightsQuery(digest: string): string {
  return new URLSearchParams({ digest }).toString();
}
