import type { LiveHealth, LivePeer, LivePull, LiveStreams, LiveTraffic } from '../live-report.ts';

/** What the page shows, as it is known at a moment. */
export interface PageFacts {
  /** By the node's clock, in ms since the epoch. */
  readonly nowMs: number;
  /** The port at which other nodes have their page. */
  readonly port: number;
  readonly health: LiveHealth;
  readonly traffic: LiveTraffic;
  /** By ID. */
  readonly peers: ReadonlyMap<string, LivePeer>;
  /** Newest first. */
  readonly running: readonly LivePull[];
  /** Newest first. */
  readonly ended: readonly LivePull[];
  readonly streams: LiveStreams;
  /** True: the node does not answer the page any more. */
  readonly isLost?: boolean;
}
