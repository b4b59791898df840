import type { Digest } from '../oci/digest.ts';
import type { Peer } from '../routing/router.ts';
import type { FlightAnswer, FlightQuestion, FlightReport } from './flight-messages.ts';

/** What other nodes ask of this node, and tell it. */
export interface FlightHandler {
  ask(from: string, question: FlightQuestion): FlightAnswer;
  report(from: string, report: FlightReport): void;
}

/** The nodes of the cluster that understand flights. They are named by their IDs in hex. */
export interface FlightNetwork {
  /** This node's name. */
  readonly self: string;
  /**
   * The nodes that are closest to the digest and there, at most `count`, the closest first. This node may be
   * among them. All nodes that know the same nodes get the same.
   */
  towersOf(digest: Digest, count: number): readonly string[];
  /** Asks another node. Rejects when it does not answer in time, or its answer makes no sense. */
  ask(tower: string, question: FlightQuestion, signal: AbortSignal): Promise<FlightAnswer>;
  /**
   * Tells another node. That it may not arrive is the caller's to live with. `isInRecords`: that this node has the content is all
   * there is to tell, and is in the records of the DHT in a moment. A tower that gets the record at once is not told then.
   */
  report(tower: string, report: FlightReport, isInRecords: boolean): void;
  /** True for a member that does not count as dead. */
  isThere(name: string): boolean;
  /** Where a node is, this node among them; undefined: it has not said so. */
  zoneOf(name: string): string | undefined;
  /** True for a node that has said some seconds ago that it stops: its mirror may be being updated. */
  isPausing(name: string): boolean;
  /**
   * A node that content can be asked of: one that is there, or was a moment ago, because its mirror may be restarting.
   * Undefined for any other.
   */
  peerOf(name: string): Peer | undefined;
  /** The nodes that provide the digest by this node's own records, this node among them if it does. */
  holdersOf(digest: Digest): readonly string[];
  /** Lets this node answer what others ask; called once. */
  serve(handler: FlightHandler): void;
}
