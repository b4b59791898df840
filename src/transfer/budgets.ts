/*
 * The budgets of docs/ARCHITECTURE.md: how long a pull may wait for the mirror before it is better off upstream.
 * Those which have a flag are options of the engine; these are not meant to be tuned.
 */

const SECOND_MS = 1000;

/** A node of the same cluster is one or two switches away; one that needs longer for a SYN is gone or overloaded. */
export const CONNECT_TIMEOUT_MS = 200;
/** From a connection to the head of the answer: a stat and an open on the other side. */
export const HEAD_TIMEOUT_MS = 500;
/** No byte for this long, while the client would take some: another peer takes over. */
export const STALL_TIMEOUT_MS = 1 * SECOND_MS;
/** A file on local disk may be slower than a peer for a moment (a spinning disk under load), and nobody else is nearer. */
export const LOCAL_STALL_TIMEOUT_MS = 10 * SECOND_MS;
/** All of a manifest or a HEAD, over all peers (containerd waits for these before it starts anything else). */
export const SMALL_REQUEST_TIMEOUT_MS = 3 * SECOND_MS;
/** A manifest from one peer, body included, so that a peer that stalls leaves time for another. */
export const SMALL_ANSWER_TIMEOUT_MS = 1 * SECOND_MS;
/**
 * A body has started and its peer broke, a provider turned out to be gone, or nodes were lost a moment ago: finding
 * another may take longer than the first lookup, since somebody had it.
 */
export const REPLACEMENT_LOOKUP_TIMEOUT_MS = 10 * 20;
/** Until a blob's first source is found, over all peers: no new one is asked after that. Four that hang leave time for a fifth. */
export const FIRST_SOURCE_TIMEOUT_MS = 5 * HEAD_TIMEOUT_MS;
/** Addresses of a peer that are tried, each for as long as a connection may take: one of each IP family. */
export const ADDRESSES_PER_PEER = 2;
/** Sources in a row that may break without a byte: then the body is broken off, and containerd decides. */
export const MAX_FRUITLESS_SOURCES = 3;
/** How many providers a lookup may yield: enough to have some left after failed and skipped ones. */
export const LOOKUP_LIMIT = 20;
/** A lookup that found its first provider goes on for this long to find the ones that may have to replace it: as long as peers are asked for anything. */
export const LOOKUP_LIFETIME_MS = Math.max(SMALL_REQUEST_TIMEOUT_MS, FIRST_SOURCE_TIMEOUT_MS);
/** How long a peer that failed once is left alone; doubles with each further failure. */
export const PEER_SKIP_INITIAL_MS = 1 * SECOND_MS;
/** The longest that a peer is left alone: about a node's reboot. */
export const PEER_SKIP_MAX_MS = 60 * SECOND_MS;
/** Failed peers that are remembered; more than a cluster's nodes, so that only a flood of invented peers is forgotten. */
export const PEER_HEALTH_ENTRIES = 10_000;
