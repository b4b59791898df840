import type { PeerStanding } from './why-report.ts';

/** What this node has seen of a peer while it took content from it, and what the peer said of itself then. */
export interface PeerView extends PeerStanding {
  /** What it takes to answer, on the average of the last minute, in ms; undefined: not known. */
  readonly answerMs: number | undefined;
  /** Bodies that it sent to other nodes a moment ago, by its own word; undefined: it has not said so. */
  readonly uploads: number | undefined;
  /** What its node is called, by its own word in an answer; undefined: it has not said so. */
  readonly name: string | undefined;
}
