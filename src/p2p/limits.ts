const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;

/** The Kademlia protocol that every Spegel node speaks. */
export const KAD_PROTOCOL = '/spegel/kad/1.0.0';
/**
 * A peer that answers none of its questions for this long is not there: the stream is given up. The caller may go on
 * much sooner. That a busy peer answers late costs nothing. Another stream, and the same question again, would cost it
 * more of what it lacks.
 */
export const ANSWER_TIMEOUT_MS = 10 * SECOND_MS;

/** A connection that is quiet for so long is probed by the kernel (tcp(7), TCP_KEEPIDLE), which wakes no process. */
export const TCP_KEEP_ALIVE_MS = MINUTE_MS;
/**
 * Time to connect to a peer of the cluster, all handshakes included. A peer whose machine has answered is there, and
 * may be busy with many others: giving up and trying again would cost both ends more of what they lack.
 */
export const DIAL_TIMEOUT_MS = 20 * SECOND_MS;

/** What libp2p's own counts may come to: the door in front of it lets in less, see createDoor. */
export const NO_LIMIT = 100_000;
/** A connection waits no longer for all of this: as long as the dialling peer waits. */
export const INBOUND_UPGRADE_TIMEOUT_MS = 20 * SECOND_MS;
/**
 * DHT streams that a peer may have open here on one connection: our nodes and Go's keep one, and use another for a
 * trial.
 */
export const MAX_DHT_STREAMS = 8;

/**
 * Beside the DHT's protocol: what a node does not provide any more, and that it leaves. Spegel's nodes do not speak it.
 */
export const NOTICE_PROTOCOL = '/spegel/notices/1.0.0';
/** Beside the DHT's protocol: which node takes content from which. Spegel's nodes do not speak it. */
export const FLIGHT_PROTOCOL = '/spegel/flights/1.0.0';
