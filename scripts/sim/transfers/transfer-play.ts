import type { RefusalRule } from './sim-containerd.ts';
import type { LayerSizes } from './sim-contents.ts';
import type { PeerNature } from './sim-peers.ts';

/** What is played: one node, whose containerd pulls images, with peers that have them. */
export interface TransferPlay {
  readonly seed: number;
  readonly pulls: number;
  readonly peers: readonly PeerNature[];
  /** Pulls at the same time. Default 1. */
  readonly parallel?: number | undefined;
  /** Different images. The node forgets what it pulled before it pulls it again. Default 10. */
  readonly images?: number | undefined;
  /** Layers of each. Default 3. */
  readonly layers?: number | undefined;
  /** Default `mixed`. */
  readonly layerSizes?: LayerSizes | undefined;
  readonly refusalRule: RefusalRule;
  /** Whether towers name peers before providers are looked up. Default false. */
  readonly hasFlights?: boolean | undefined;
  /** The share of pulls whose manifest the node did not see: it does not know how large the contents are. Default 0. */
  readonly unseenManifests?: number | undefined;
  /** The share of tries that are cancelled at some time. Default 0. */
  readonly cancelled?: number | undefined;
  /** The share of pulls after which the contents of a peer come and go. Default 0. */
  readonly turns?: number | undefined;
  /** The share of contents of which a peer has a record and not the content. Default 0. */
  readonly strayRecords?: number | undefined;
  /** The share of lookups that find peers late. Default 0. */
  readonly lateLookups?: number | undefined;
  /** Peers that do not exist are named in each lookup, so many. Default 0. */
  readonly invented?: number | undefined;
  /** Rests between pulls, at most, in ms. Default 2 s. */
  readonly restMs?: number | undefined;
  /** Rests between the tries of a pull, at least, in ms: kubelet's are 10 s and more. Default 3 s. */
  readonly againMs?: number | undefined;
  /** Told what happens, a line with the virtual time in ms each. */
  readonly trace?: ((line: string) => void) | undefined;
}

/** What came of it. */
export interface TransferResult {
  /** Of containerd to the node, and the HEAD requests beside them. */
  readonly requests: number;
  readonly pulls: number;
  readonly tries: number;
  /** The most tries of a pull, without those that were cancelled. */
  readonly mostTries: number;
  /** Blobs with wrong bytes that containerd refused, and those that were found out. */
  readonly refused: number;
  readonly convicted: number;
  /** Bodies that no source could go on with. */
  readonly brokenOff: number;
  /** Bytes that containerd got from upstream, as a share of all. */
  readonly upstreamShare: number;
  /** Requests to peers, and the most for one request of containerd. */
  readonly asked: number;
  readonly mostAsked: number;
  /** Requests to each peer, in the order of the play. */
  readonly askedOf: readonly number[];
  /** Blobs with wrong bytes of each peer that containerd refused. */
  readonly wrongOf: readonly number[];
  readonly longestFirstByteMs: number;
  readonly longestSmallMs: number;
  readonly longestSilenceMs: number;
  /** The most entries of one map or set that the engine keeps. */
  readonly mostEntries: number;
  readonly virtualSeconds: number;
  /** What may never happen, and did. */
  readonly violations: readonly string[];
}

/** The figures of a play while it goes on. */
export type TransferCounts = {
  -readonly [
    Key in
      | 'requests'
      | 'tries'
      | 'mostTries'
      | 'refused'
      | 'convicted'
      | 'brokenOff'
      | 'asked'
      | 'mostAsked'
      | 'longestFirstByteMs'
      | 'longestSmallMs'
      | 'longestSilenceMs'
  ]: TransferResult[Key];
} & { upstreamBytes: number; peerBytes: number };

/** What finds out what may never happen. */
export interface TransferJudge {
  /** The text is a violation if it is not good. */
  check(isGood: boolean, text: string): void;
  /** For a trace. */
  tell(text: string): void;
}
