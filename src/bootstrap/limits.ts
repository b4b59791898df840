const SECOND_MS = 1000;

/** Time for TCP's handshake with a peer, which its kernel answers: a machine that takes longer is not there. */
export const TCP_TIMEOUT_MS = 5 * SECOND_MS;
/** Time for one question to a bootstrap source (an HTTP request; it may cross the network once). */
export const BOOTSTRAP_QUERY_TIMEOUT_MS = 3 * SECOND_MS;
/** Most peers of a bootstrap document, read or written (the contract with Spegel for /ids). */
export const MAX_BOOTSTRAP_PEERS = 20;
