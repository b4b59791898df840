import type { Summary } from '../statistics.ts';

/** A blob or manifest that a client asks for. */
export interface HttpTarget {
  readonly path: string;
  /** A file with the bytes that are to come; undefined: they are not looked at. */
  readonly file: string | undefined;
  readonly sizeBytes: number;
}

/**
 * What a client does, over and over: `read` takes whole bodies on a connection that it keeps, `range` 1 MiB of one
 * anywhere, `leave` goes with a reset as soon as the body begins, `unread` takes nothing and stays.
 */
export type HttpManner = 'read' | 'range' | 'leave' | 'unread';

/** Clients of one kind. */
export interface HttpLoad {
  readonly host: string;
  readonly port: number;
  readonly manner: HttpManner;
  readonly clients: number;
  readonly targets: readonly HttpTarget[];
  /** Whether a client waits for a moment after an answer that is not the content. */
  readonly isPatient: boolean;
}

/** What clients got. */
export interface HttpFigures {
  /** Answers by status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Complete bodies of 200 and 206. */
  readonly complete: number;
  /** Bodies with a byte that is not the file's. */
  readonly wrong: number;
  /** Bodies that ended early, or an answer of another length than asked for. */
  readonly short: number;
  /** Connections that were refused, or ended before an answer. */
  readonly reset: number;
}

/** A process that plays HTTP clients from a machine of its own. */
export interface HttpPlayerCommands {
  start(load: HttpLoad): Promise<void>;
  figures(options: Record<string, never>): Promise<HttpFigures>;
  /** Ends all of them and returns their figures. */
  stop(options: Record<string, never>): Promise<HttpFigures>;
}

/**
 * What peers do: `unread` opens streams and asks without reading answers, `stay` connects and stays, `come-and-go`
 * leaves a moment later and comes with another identity, `records` sends records, `half-open` makes no handshake,
 * `crowd` stays and asks now and then.
 */
export type PeerManner = 'unread' | 'stay' | 'come-and-go' | 'records' | 'half-open' | 'crowd';

/** Peers of one kind. */
export interface PeerLoad {
  readonly host: string;
  readonly port: number;
  readonly manner: PeerManner;
  readonly peers: number;
  /** Source addresses, which the peers share; each is announced too. */
  readonly addresses: readonly string[];
  /** Streams of each peer. Default 1. */
  readonly streams?: number;
  /** Records of each peer. Default none. */
  readonly records?: number;
  /** Text keys that are asked for. */
  readonly keys?: readonly string[];
}

/** What peers did. */
export interface PeerFigures {
  /** Connected now. */
  readonly connected: number;
  /** Connections made with all handshakes. */
  readonly joined: number;
  /** Connections that were refused or broken off in a handshake. */
  readonly refused: number;
  /** Connections that the node ended after the handshakes. */
  readonly ended: number;
  readonly recordsSent: number;
  readonly questionsSent: number;
  /** Answers to those of them that are read. */
  readonly answers: number;
  /** Times of those answers, of the first 10,000. */
  readonly answerMs: Summary | undefined;
}

/** A process that plays peers of the cluster from a machine of its own. */
export interface PeerPlayerCommands {
  start(load: PeerLoad): Promise<void>;
  figures(options: Record<string, never>): Promise<PeerFigures>;
  stop(options: Record<string, never>): Promise<PeerFigures>;
}

/** How a holder sends layers. */
export interface DripRate {
  readonly chunkBytes: number;
  readonly everyMs: number;
}

/** A process that is a holder of blobs, and sends them as it likes. */
export interface SlowHolderCommands {
  /** Joins the node as a peer, and tells it of the blobs. */
  start(options: {
    readonly host: string;
    readonly port: number;
    /** Its own. */
    readonly address: string;
    readonly registryPort: number;
    readonly rate: DripRate;
    readonly blobs: readonly {
      readonly digest: string;
      readonly mediaType: string;
      readonly file: string;
      readonly isSlow: boolean;
    }[];
  }): Promise<void>;
  /** Requests for slow blobs so far. */
  requests(options: Record<string, never>): Promise<number>;
  stop(options: Record<string, never>): Promise<void>;
}

/** What a node's own client found while it looked things up. */
export interface LookupFigures {
  /** Times of the answers, in ms. */
  readonly tookMs: readonly number[];
  /** Lookups by what went wrong: a status, or `reset`. */
  readonly failures: Readonly<Record<string, number>>;
}

/** A process beside a node's containerd that asks its mirror by HEAD, one request after the other. */
export interface LookupProbeCommands {
  start(options: { readonly urls: readonly string[]; readonly pauseMs: number }): Promise<void>;
  stop(options: Record<string, never>): Promise<LookupFigures>;
}
