/** A node to start from. */
export interface BootstrapPeer {
  /** The peer ID, base58; undefined when only its address is known. */
  readonly id?: string | undefined;
  /** Multiaddrs without /p2p. Never empty. */
  readonly multiaddrs: readonly string[];
  /** Those of a lower rank are dialled first. Default 0. */
  readonly rank?: number;
}

/** A source of nodes to start from: a list, an HTTP endpoint, or DNS. */
export interface Bootstrapper {
  /** For the log. */
  readonly kind: string;
  /** The nodes that the source names now; this node may be among them. Rejects with BootstrapError while the source does not answer. */
  peers(signal: AbortSignal): Promise<readonly BootstrapPeer[]>;
}

/** A bootstrap source cannot be used, or not now. The message says what to do. */
export class BootstrapError extends Error {
  override readonly name = 'BootstrapError';
  readonly code = 'BOOTSTRAP';
}
