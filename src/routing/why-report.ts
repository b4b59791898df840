import type { MissReason } from '../observe/transfer-log.ts';
import type { Peer, PeerCondition } from './router.ts';

/** Where the metrics listener answers with a WhyReport, as JSON; see whyQuery. */
export const WHY_PATH = '/debug/why';

/** How a node thinks of a peer that it may ask for content. */
export interface PeerStanding {
  /** `first`: it is asked in its turn; `last`: after all others; `skipped`: it is left alone for now. */
  readonly order: 'first' | 'last' | 'skipped';
  /** Why it is not asked in its turn: it failed, it was late, or it was slow, a while ago. */
  readonly why: 'failed' | 'late' | 'slow' | undefined;
  /** What it gave in the last two minutes, in bytes per second; undefined: not measured. */
  readonly bytesPerSecond: number | undefined;
}

/** A peer that is said to have the content. */
export interface WhyPeer extends Peer, Omit<PeerStanding, 'order' | 'why'> {
  /** How long it took to find it, in ms. */
  readonly tookMs: number;
  /** As the router sees it; undefined: the router does not know it. */
  readonly state: PeerCondition | undefined;
  readonly order: string;
  readonly why: string | undefined;
  /**
   * What it says now: `has-it`, or as in `spegel_peer_requests_total` why not: `absent`, `busy`, `CONNECT_FAILED` and others;
   * undefined: it was not asked.
   */
  readonly said: string | undefined;
}

/** What this node would answer its containerd now, without flights. */
export interface WhyOutcome {
  /** `local`: from its store; `peer`: from a peer; `missing`: nothing, and containerd goes to the registry. */
  readonly how: 'local' | 'peer' | 'missing';
  readonly status: 200 | 404;
  /** The address of the peer. */
  readonly from?: string | undefined;
  /** Why it is missing. */
  readonly reason?: MissReason | undefined;
}

/** A tag, a manifest, a config, a layer, or content of which it is not known what it is. */
export interface WhyContent {
  readonly kind: 'tag' | 'index' | 'manifest' | 'config' | 'layer' | 'content';
  /** The digest, or `registry/repository:tag`. */
  readonly key: string;
  /** For a tag: the digest that it has, if that is known. */
  readonly digest?: string | undefined;
  /** In bytes; undefined if that is not known. */
  readonly sizeBytes?: number | undefined;
  /** It is in this node's store, and shared. */
  readonly isHere: boolean;
  /** Peers in the order in which they would be asked. Empty for what is here. */
  readonly peers: readonly WhyPeer[];
  readonly outcome: WhyOutcome;
}

/** Why this node serves an image or a digest, or does not: the answer of GET /debug/why. */
export interface WhyReport {
  readonly key: string;
  /** The registry and the repository, if the question names them. */
  readonly registry?: string | undefined;
  readonly repository?: string | undefined;
  readonly isReady: boolean;
  readonly isStoreConnected: boolean;
  /** The registry is one of --mirrored-registries; undefined if the question does not name it. */
  readonly isMirrored?: boolean | undefined;
  /** The expressions of --registry-filters that match the image. */
  readonly filters: readonly string[];
  /** The wait for the first peer, in ms (--mirror-resolve-timeout). */
  readonly resolveTimeoutMs: number;
  /** What was asked for, then what it leads to: of an index the manifest for this node's platform. */
  readonly contents: readonly WhyContent[];
  /** Pieces of content that are left out here. */
  readonly omitted: number;
  /** What keeps the report from being complete, as a sentence. */
  readonly problem?: string | undefined;
}

/** What WHY_PATH is asked. */
export interface WhyQuestion {
  /** A routing key. */
  readonly key: string;
  /** `registry/repository`, for a digest. */
  readonly name?: string | undefined;
}

/** The question as a query. */
export function whyQuery({ key, name }: WhyQuestion): string {
  return new URLSearchParams({ key, ...(name === undefined ? {} : { name }) }).toString();
}
