import type { PeerCounts } from './peer-counts.ts';
import type { Peer, PeerState, SelfState } from './router.ts';

/** Where the metrics listener answers with a PeersReport, as JSON. */
export const PEERS_PATH = '/debug/peers';
/** Where it answers with a FindReport, as JSON; see findQuery. */
export const FIND_PATH = '/debug/peers/find';

/** What a node knows of itself and of its peers: the answer of GET /debug/peers. */
export interface PeersReport {
  /** This node; its addresses are multiaddrs. */
  readonly self: {
    readonly id: SelfState['id'];
    readonly addresses: SelfState['multiaddrs'];
    readonly zone?: SelfState['zone'];
    readonly name?: SelfState['name'];
  };
  readonly ready: boolean;
  /** How it looked for its first peers the last time, as BootstrapState; undefined: that is not known. */
  readonly bootstrap:
    | {
        readonly kind: string;
        /** A BootstrapOutcome, or another of a newer version. */
        readonly outcome: string;
        readonly reason: string | undefined;
      }
    | undefined;
  readonly counts: PeerCounts;
  readonly peers: readonly PeerState[];
}

/** Which nodes have a key: the answer of GET /debug/peers/find. */
export interface FindReport {
  readonly key: string;
  /** Time of the whole lookup, in ms. */
  readonly tookMs: number;
  /** True if the asked node has it itself. */
  readonly local: boolean;
  /** `tookMs`: time until the provider was found, in ms. */
  readonly providers: ReadonlyArray<Peer & { readonly tookMs: number }>;
}

/** What FIND_PATH is asked. */
export interface FindQuestion {
  /** A routing key. */
  readonly key: string;
  /** How long to look, in ms. */
  readonly timeoutMs: number;
}

/** The question as a query. */
export function findQuery({ key, timeoutMs }: FindQuestion): string {
  return new URLSearchParams({ key, timeout: String(timeoutMs) }).toString();
}
