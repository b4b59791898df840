/*
 * How long a pull may wait for the mirror before it is better off upstream. What has a flag is in TransferOptions; these are
 * not meant to be tuned.
 */

const SECOND_MS = 1000;

/** A node of the same cluster is one or two switches away; one that needs longer for a SYN is gone or overloaded. */
export const CONNECT_TIMEOUT_MS = 200;
/**
 * The same for a peer's other address, when the first cannot be reached: all that a peer that is gone may cost is 250 ms. A node
 * that can be reached there takes a connection within a few.
 */
export const OTHER_CONNECT_TIMEOUT_MS = 30;
/** From a connection to the head of the answer: a stat and an open on the other side. */
export const HEAD_TIMEOUT_MS = 500;
/** No byte for this long, while the client would take some: another peer takes over. On a slow link that several bodies share it is CONGESTED_WINDOW_MS. */
export const STALL_TIMEOUT_MS = 1 * SECOND_MS;
/** A file on local disk may be slower than a peer for a moment (a spinning disk under load), and nobody else is nearer. */
export const LOCAL_STALL_TIMEOUT_MS = 10 * SECOND_MS;
/** All of a manifest or a HEAD, over all peers (containerd waits for these before it starts anything else). */
export const SMALL_REQUEST_TIMEOUT_MS = 3 * SECOND_MS;
/** A manifest from one peer, body included, so that a peer that stalls leaves time for another; a small blob beside the time that its bytes take at twice the floor. */
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
/**
 * For so long of a lookup a peer of another zone is held back: half of the default time that a request waits for a peer
 * (--mirror-resolve-timeout), in which the three nodes that are asked have answered on any network within a region.
 */
export const ZONE_HOLD_MS = 10;
/** Addresses whose zone is remembered, as their answers said it. */
export const PEER_ZONE_HOSTS = 1000;
/** Addresses whose node's name is remembered, as their answers said it: at most 0.3 MB. */
export const PEER_NAME_HOSTS = 1000;
/** Peers of this node's zone that are found before the lookup rests: enough to choose from, and each costs some microseconds. */
export const PEERS_TO_CHOOSE_FROM = 4;
/** How long what was measured of a peer counts: links and loads change, and a peer that was bad then is tried again. */
export const SCORE_MEMORY_MS = 60 * SECOND_MS;
/** Addresses of which something is kept. */
export const SCORE_HOSTS = 1000;
/** How long what a peer says of its load counts: a layer of 100 MB takes a second or two. */
export const UPLOADS_MEMORY_MS = 2 * SECOND_MS;
/** A second peer is asked no sooner: answers within one region take a few ms, and a pause of the process is not the peer's. */
export const HEDGE_FLOOR_MS = 20;
/** Nor later: by then the first peer is given up anyway. */
export const HEDGE_CEILING_MS = 1 * SECOND_MS;
/** When a peer is late while nothing was measured of any: half of what a connection may take. */
export const HEDGE_COLD_MS = CONNECT_TIMEOUT_MS / 2;
/** The share of requests that may be asked of a second peer: what it costs the peers, where all of them are late at once. */
export const HEDGE_SHARE = 0.05;
/** What of that may be saved up: as many layers as an image has. */
export const HEDGE_BURST = 10;
/** How long a peer that failed once is left alone; doubles with each further failure. */
export const PEER_SKIP_INITIAL_MS = 1 * SECOND_MS;
/** The longest that a peer is left alone: about a node's reboot. */
export const PEER_SKIP_MAX_MS = 60 * SECOND_MS;
/** Probes of such peers at a time. */
export const PEER_PROBES = 8;
/** Failed peers that are remembered; more than a cluster's nodes, so that only a flood of invented peers is forgotten. */
export const PEER_HEALTH_ENTRIES = 10_000;

/** Over how much waiting for a source its throughput is judged: long enough for a lost packet or two, short enough that the pull is late by seconds only. */
export const FLOOR_WINDOW_MS = 1.5 * SECOND_MS;
/** Bodies that get less than so many bytes per second each, 4 Mbit/s, but enough together, share a link that is slow. */
export const CONGESTED_BYTES_PER_SECOND = 4_000_000 / 8;
/** The window on such a link, in which one of several connections may get nothing for seconds: TCP then waits ever longer. */
export const CONGESTED_WINDOW_MS = 5 * SECOND_MS;
/** How often it is judged. */
export const FLOOR_CHECK_MS = SECOND_MS / 4;
/**
 * The least that all bodies from peers must get together to be of use, in bytes per second: 1 Mbit/s. A layer of
 * 10 MB takes 80 s at that, and any way to the registry is faster.
 */
export const FLOOR_BYTES_PER_SECOND = 1_000_000 / 8;
/** Bodies that share a link do not get the same: while they get enough together, each may have so much less than its share. */
export const FLOOR_UNEVENNESS = 4;
/** The least of one body, however many share: 64 kbit/s. */
export const FLOOR_LEAST_BYTES_PER_SECOND = 64_000 / 8;
/** A source that gives so much less than what others gave lately is broken: 16 times slower is no neighbour. */
export const FLOOR_RATIO = 16;
/** What is never too little, whatever others gave, in bytes per second: 8 Mbit/s, a node in another place. */
export const FLOOR_ENOUGH_BYTES_PER_SECOND = 8_000_000 / 8;
/** How long what a source gave counts for the others: links change. */
export const FLOOR_MEMORY_MS = 120 * SECOND_MS;
/** A shorter body tells nothing of its source's throughput, in bytes. */
export const FLOOR_SAMPLE_BYTES = 1024 * 1024;
/** Hosts whose throughput is remembered. */
export const FLOOR_HOSTS = 100;
/** How long a host that gave too little is left alone: a pull's other layers must not meet it again. Doubles each time. */
export const SLOW_SKIP_INITIAL_MS = 30 * SECOND_MS;
/** The longest that it is left alone. */
export const SLOW_SKIP_MAX_MS = 600 * SECOND_MS;
/** Sources of one blob that may be slow, over all its requests of a minute: then containerd goes to upstream with it. */
export const MAX_SLOW_SOURCES = 3;
/** How long slow sources of a blob are counted. */
export const SLOW_BLOB_MEMORY_MS = 60 * SECOND_MS;
/** Blobs of which that is remembered. */
export const SLOW_BLOBS = 1000;

/** A blob of at most so many bytes is got whole and verified before its first byte goes on, like a manifest: small ones are what decides what a layer is. */
export const SMALL_BLOB_BYTES = 64 * 1024;
/** The same for the config of an image: a few KiB, more with a long history. */
export const CONFIG_BYTES = 256 * 1024;
/** Small blobs that are held at once, in bytes: the configs of 32 pulls side by side, or of more usual ones 500. */
export const SMALL_BLOBS_HELD_BYTES = 2 * 1024 * 1024;
/** How long to wait for a place for a small blob: each is held for the time of its own transfer. */
export const SMALL_BLOB_WAIT_MS = SECOND_MS / 2;
/** What is remembered of the sizes in manifests, in bytes: the layers of the last few hundred images. */
export const KNOWN_SIZES_BYTES = 1024 * 1024;
/** Different sizes of one digest that are remembered; of more, none is believed. */
export const SIZES_PER_DIGEST = 4;
/*
 * Flights: a node that waits for another node's download, see docs/FLIGHTS.md.
 */
/**
 * The longest hold for a first byte (TransferOptions has how long it is else) while downloads of this node's own client
 * have not begun: with containerd 2.1 the request may have their place.
 */
export const FLIGHT_HOLD_QUEUED_MS = 1 * SECOND_MS;
/** The longest hold in mid-body: a download that several layers share does not grow for seconds. */
export const FLIGHT_RESUME_MS = 20 * SECOND_MS;
/** A node that downloads it answers within so long that it waits, or gives the first bytes. */
export const FLIGHT_ANSWER_HOLD_MS = 400;
/** A node of a flight that says nothing for so long is stopped, or gone. */
export const FLIGHT_HEAD_TIMEOUT_MS = 900;
/** No byte for so long: the node is asked whether it is there. */
export const FLIGHT_STALL_TIMEOUT_MS = 1.5 * SECOND_MS;
/** Less than so much of what grows is next to nothing, in bytes: containerd writes eight times as much at once. */
export const FLIGHT_DRIP_BYTES = 128 * 1024;
/** In so much waiting for it: longer than a node that stands still is waited for in mid-body. */
export const FLIGHT_DRIP_MS = 25 * SECOND_MS;
/** A request that waits for a node of a flight asks so often, in ms of that, whether others are far ahead of that node. */
export const LAG_CHECK_MS = 2.5 * SECOND_MS;
/** The same of a node that was slow for another request a moment ago. */
export const LAG_SUSPECT_CHECK_MS = 1 * SECOND_MS;
/** Nodes of a flight that are asked for one part of a blob. */
export const MAX_FLIGHT_PEERS = 6;
/** The same for a node that gives what it downloads: its client decides much earlier. */
export const FLIGHT_SERVE_STALL_MS = 60 * SECOND_MS;
/** The leader of an image that does not have a layer is asked again for so long: it is about to ask for it. */
export const FLIGHT_LEADER_GRACE_MS = 600;
/** So long after it said so. */
export const FLIGHT_LEADER_PAUSE_MS = 50;
/** A node that leads the image itself asks the tower again after so long without a byte in mid-body. */
export const FLIGHT_LEADER_ASKS_MS = 2.5 * SECOND_MS;
/** How long it is remembered that a blob came through a flight: kubelet pulls again 10 s and 20 s after a failure. */
export const FLOWN_BLOB_MEMORY_MS = 60 * SECOND_MS;
/** Blobs of which that is remembered. */
export const FLOWN_BLOBS = 1000;
/** A node that waits is asked again no sooner than so long after it was asked before. */
export const FLIGHT_WAITING_PAUSE_MS = 50;
/** A node of a flight whose port refuses is asked again for so long: its mirror is being restarted. */
export const FLIGHT_RESTART_WAIT_MS = 2.5 * SECOND_MS;
/** The same when it has said goodbye, as at an update of the DaemonSet: a pod is replaced in some seconds. */
export const FLIGHT_UPDATE_WAIT_MS = 10 * SECOND_MS;
/** So long after it refused. */
export const FLIGHT_RESTART_PAUSE_MS = 200;
/** If so much of a body is left, at least. */
export const FLIGHT_RESTART_BYTES = 8 * 1024 * 1024;
/** The same of the node that downloads the image for all: without it, the other layers are downloaded once more, too. */
export const FLIGHT_RESTART_LEADER_BYTES = 1024 * 1024;
