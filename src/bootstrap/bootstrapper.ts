/** A node to start from. */
export interface BootstrapPeer {
  /** The peer ID, base58; undefined when only its address is known. */
  readonly id?: string | undefined;
  /** Multiaddrs without /p2p. Never empty. */
  readonly multiaddrs: readonly string[];
  /** Peers of a lower rank are dialled first. Default 0. */
  readonly rank?: number;
}

/** A source of nodes to start from: a list, an HTTP endpoint, or DNS. */
export interface Bootstrapper {
  /** For the log. */
  readonly kind: string;
  /**
   * The nodes that the source names now; this node may be among them. Rejects with BootstrapError while the source does
   * not answer, and with NoNodeNamedError.
   */
  peers(signal: AbortSignal): Promise<readonly BootstrapPeer[]>;
}

/**
 * The domain names no node at all, not even this one. That is an answer and not a failure, and a mistake in nearly
 * every case: a single node that belongs to the domain is named by it.
 */
export class NoNodeNamedError extends Error {
  override readonly name = 'NoNodeNamedError';
  readonly code = 'NO_NODE_NAMED';
  readonly domain: string;

  constructor(domain: string) {
    // Which of the two it is the runtime's resolver does not tell.
    super(`${domain} names no node, not even this one: there is no such name, or it has no addresses`);
    this.domain = domain;
  }
}

/** A bootstrap source cannot be used, or not now. The message says what to do. */
export class BootstrapError extends Error {
  override readonly name = 'BootstrapError';
  readonly code = 'BOOTSTRAP';
}
