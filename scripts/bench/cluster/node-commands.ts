import type { Digest } from '../../../src/oci/digest.ts';

/** What a node of the bench is started with, as JSON in its first argument. */
export interface NodeConfig {
  /** Socket on which it takes commands. */
  readonly controlSocket: string;
  readonly contentFile: string;
  readonly nodeIp: string;
  /** `http://<node 1>:8080`; the node serves the same on its own port. */
  readonly bootstrapPeer: string;
  /** Its first keys: benchKeys(name, keys). */
  readonly name: string;
  readonly keys: number;
  /** Other nodes; it notes when it is connected to all of them. */
  readonly others: number;
}

/** Times are ms since 1970 (epochMs). */
export interface NodeState {
  readonly id: string;
  readonly readyMs: number | undefined;
  readonly connectedToAllMs: number | undefined;
  readonly connectedPeers: number;
  readonly records: number;
  /** Keys of its store that the router has taken. */
  readonly advertised: number;
}

/** One lookup of the node's router. */
export interface LookupResult {
  readonly startedMs: number;
  /** When the first provider came; absent if none did. */
  readonly firstMs?: number | undefined;
  readonly endedMs: number;
  /** IDs of all that it named. */
  readonly providers: readonly string[];
}

/** What a node of the bench does when it is told. */
export interface NodeCommands {
  state(options: Record<string, never>): Promise<NodeState>;
  /** The store gets the keys at that time; returns when it did. */
  add(options: { readonly keys: readonly Digest[]; readonly atMs: number }): Promise<number>;
  remove(options: { readonly keys: readonly Digest[]; readonly atMs: number }): Promise<number>;
  /**
   * Watches the node's records until all the keys are provided there by the provider; returns when each of them was
   * first seen (null for never) and what the looking itself took.
   */
  watchRecords(options: {
    readonly keys: readonly Digest[];
    readonly provider: string;
    readonly timeoutMs: number;
  }): Promise<{ readonly seenMs: readonly (number | null)[]; readonly watchingMs: number }>;
  /** How many of the keys the provider provides by the node's records. */
  countRecords(options: { readonly keys: readonly Digest[]; readonly provider: string }): Promise<number>;
  /** Asks the router, all at the times that they name. */
  lookups(options: {
    readonly asks: readonly { readonly key: Digest; readonly atMs: number }[];
    readonly timeoutMs: number;
  }): Promise<readonly LookupResult[]>;
  /** Asks the router for the key from that time on until it names the provider; returns when, null for never. */
  findWithRetries(options: {
    readonly key: Digest;
    readonly provider: string;
    readonly fromMs: number;
    readonly everyMs: number;
    readonly timeoutMs: number;
  }): Promise<number | null>;
  startProfile(options: Record<string, never>): Promise<void>;
  /** Writes a profile for the developer tools of a browser. */
  stopProfile(options: { readonly path: string }): Promise<void>;
}

/** What the HTTP client of the bench does when it is told. */
export interface ClientCommands {
  /** HEAD requests, one after the other until the time is up, or all of them started at a steady rate. */
  heads(options: {
    readonly urls: readonly string[];
    readonly perSecond?: number | undefined;
    readonly budgetMs: number;
  }): Promise<readonly HeadResult[]>;
}

/** One HEAD request. */
export interface HeadResult {
  readonly startedMs: number;
  readonly tookMs: number;
  /** 0 when there was no answer. */
  readonly status: number;
}

/** Ports of each node. */
export const NODE_PORTS = { registry: 5000, router: 5001, metrics: 9090, bootstrap: 8080 } as const;
