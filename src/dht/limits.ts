const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;

/** k: how many nodes hold a record, and how many peers a bucket holds (the contract with Spegel). */
export const REPLICATION = 20;
/** Peers that one lookup asks at a time (alpha). A peer that does not answer must not hold the lookup up. */
export const LOOKUP_CONCURRENCY = 5;
/**
 * How long a lookup waits for one peer: far longer than an answer takes on a busy machine, too short for a pull to
 * notice.
 */
export const SLOW_ANSWER_MS = 250;
/** Most providers that are taken from one answer. No pull tries more. */
export const MAX_PEERS_PER_ANSWER = 64;
/** How long a provider record is good for (the contract with Spegel). */
export const PROVIDER_VALIDITY_MS = 19 * MINUTE_MS;
/** Most addresses that are taken from one peer of a bootstrap document. */
export const MAX_ADDRESSES_PER_PEER = 16;
/** Provider records that a node holds, where its memory says nothing else: 20 nodes of 10,000 blobs, 12 MB. */
export const MAX_PROVIDER_RECORDS = 200_000;
/** Nodes that are remembered: a cluster of 5,000 nodes, and nodes of it that were replaced lately. Some 5 MB. */
export const MAX_KNOWN_PEERS = 6000;
/** Most bytes of a message that others send: 20 peers of 16 addresses have a tenth of that. */
export const MAX_MESSAGE_BYTES = 64 * 1024;
/**
 * IPs of one peer that are used. A node has an address or two of each family; each further claim would cost others a
 * dial.
 */
export const MAX_IPS_PER_PEER = 4;
/** Multihashes in one notice: some 36 KB. */
export const MAX_WITHDRAWN_PER_NOTICE = 1000;
/**
 * A connected peer that was not heard for so long is probed, by the first of the nodes that its probes are assigned to.
 */
export const PING_AFTER_MS = 3 * SECOND_MS;
/**
 * In a small cluster all nodes probe a peer after so long where the probes cannot be assigned. A provider that was not
 * heard for so long is probed before it is handed out. With PING_TIMEOUT_MS and the time between looks, a peer is found
 * dead within 10 s here, too.
 */
export const QUIET_AFTER_MS = 5 * SECOND_MS;
/**
 * Peers that one notice says do not answer. When more do not answer at once, this node is to blame, or others see it.
 */
export const MAX_SUSPECTS_PER_NOTICE = 16;
/**
 * Connections up to which a node dials every peer that it hears of. With dials from others it has about twice as many.
 */
export const CONNECTION_TARGET = 128;
/** Dials at a time. */
export const CONCURRENT_DIALS = 3;
