const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;

/** The Kademlia protocol that every Spegel node speaks. */
export const KAD_PROTOCOL = '/spegel/kad/1.0.0';
/** Time to open a stream on a connection that is there. */
export const OPEN_STREAM_TIMEOUT_MS = 5 * SECOND_MS;
/**
 * A peer that answers none of its questions for this long is not there: the stream is given up. Whoever asks may go on
 * much sooner. That a busy peer answers late costs nothing; another stream, and the same question again, would cost it
 * more of what it lacks.
 */
export const ANSWER_TIMEOUT_MS = 10 * SECOND_MS;
/** A stream to a peer is kept for this long after the last question. Go's DHT gives it up after a minute. */
export const KEEP_STREAM_MS = 50 * SECOND_MS;
/** Streams kept at a time: as many as there are connections in a cluster that is not very large. */
export const MAX_KEPT_STREAMS = 256;
/** Connections on which it is tried to open one, when the first is lost or a newer one comes meanwhile. */
export const MAX_STREAM_TRIES = 3;
/** Questions on the way to one peer: as many as it answers within a second. */
export const MAX_WAITING_QUESTIONS = 1024;
/** Most bytes of an answer: 5,000 providers of a popular key have half of that. */
export const MAX_ANSWER_BYTES = 1024 * 1024;
/** How long a peer is not asked after it did not answer; doubled each time. */
export const SILENCE_INITIAL_MS = SECOND_MS;
/** Longest time that it is not asked. */
export const SILENCE_MAX_MS = MINUTE_MS;
/** Peers that are remembered for it. */
export const MAX_SILENT_PEERS = 1000;

/** Bootstrapping again heals a cluster that fell apart into two that each have peers. */
export const REBOOTSTRAP_INTERVAL_MS = 30 * MINUTE_MS;
/** Up to this share is added to it at random. */
export const REBOOTSTRAP_JITTER = 0.1;
/** First wait after a bootstrap that found nobody: nodes of a new cluster start within the same second. */
export const BOOTSTRAP_RETRY_INITIAL_MS = 250;
/** Longest wait: a node that started before its bootstrap peer joins this soon after the peer is up. */
export const BOOTSTRAP_RETRY_MAX_MS = 5 * SECOND_MS;
/** After it has connected to somebody, a node waits so long for what that one says of itself before it bootstraps again. */
export const JOINED_PAUSE_MS = 5 * SECOND_MS;
/** Longest time before the first search for a bootstrap peer that was lost, while others are there. */
export const MISSED_INITIAL_MS = 2 * SECOND_MS;
/** In larger clusters it is so long for each peer: whoever is missing is dialled by five nodes a second. */
export const MISSED_PER_PEER_MS = 200;
/** How often it is doubled: when the peer is back, one of a few nodes is to find it within half a minute. */
export const MISSED_DOUBLINGS = 4;
/** Longest time before any search, in clusters that are so large that one of many finds it at once. */
export const MISSED_MAX_MS = 5 * MINUTE_MS;
/** A node whose bootstrap fails for this long counts as ready: alone it serves its own containerd all the same. */
export const BOOTSTRAP_GRACE_MS = 5 * SECOND_MS;
/** Time for one question to a bootstrap source (an HTTP request; it may cross the network once). */
export const BOOTSTRAP_QUERY_TIMEOUT_MS = 3 * SECOND_MS;
/** Time for TCP's handshake with a peer, which its kernel answers: a machine that takes longer is not there. */
export const TCP_TIMEOUT_MS = 5 * SECOND_MS;
/** A connection that is quiet for so long is probed by the kernel (tcp(7), TCP_KEEPIDLE), which wakes nobody. */
export const TCP_KEEP_ALIVE_MS = MINUTE_MS;
/**
 * Time to connect to a peer of the cluster, all handshakes included. One whose machine has answered is there, and may be
 * busy with many others: to give up and to try again would cost both more of what they lack.
 */
export const DIAL_TIMEOUT_MS = 20 * SECOND_MS;
/** Peers that bootstrapping dials at a time: one that answers is enough. */
export const BOOTSTRAP_DIALS = 3;
/** The next ones are dialled as well when none of these has answered by then: those may hang. */
export const BOOTSTRAP_GROUP_MS = 2 * SECOND_MS;
/** Most bytes of a bootstrap document: 20 peers of 10 addresses need 20 KiB. */
export const MAX_BOOTSTRAP_DOCUMENT_BYTES = 64 * 1024;
/** Most peers of a bootstrap document, read or written (the contract with Spegel for /ids). */
export const MAX_BOOTSTRAP_PEERS = 20;
/** Addresses of each IP family that bootstrapping by DNS dials first (the contract with Spegel). */
export const DNS_PEERS_PER_FAMILY = 3;
/** How often it goes on to the next so many: nodes that are down for long stay in DNS, and they may be the lowest ones. */
export const MAX_DNS_RANKS = 10;

/** What libp2p's own counts may come to: the door in front of it lets in less, see createDoor. */
export const NO_LIMIT = 100_000;
/** Connections of one address: a node has one or two, and stale ones for a while after its machine lost power. As Go's libp2p has it. */
export const CONNECTIONS_PER_ADDRESS = 8;
/** The same of an address that is not of a member. */
export const GUEST_CONNECTIONS_PER_ADDRESS = 4;
/** Handshakes of one address at a time. */
export const HANDSHAKES_PER_ADDRESS = 8;
/** Handshakes that an address may begin at once, when it had none for a while. */
export const HANDSHAKE_BURST = 16;
/** And per second in the long run: some 5 % of a core. */
export const HANDSHAKES_PER_SECOND = 2;
/** Handshakes that are done at a time. Together they take a second of CPU. */
export const HANDSHAKE_PLACES = 32;
/** From this part of the connections on that a node has room for, handshakes begin at a pace. */
export const PACED_FROM = 0.75;
/** The pace: some 20 % of a core. */
export const PACED_HANDSHAKES_PER_SECOND = 10;
/** Handshakes that wait for a place: a whole cluster may start in the same second and dial its bootstrap peer. */
export const MAX_WAITING_HANDSHAKES = 256;
/** A handshake that has its place and takes longer is a port scan or a broken peer. */
export const HANDSHAKE_MS = 5 * SECOND_MS;
/** A connection waits no longer for all of this: as long as who dials waits. */
export const INBOUND_UPGRADE_TIMEOUT_MS = 20 * SECOND_MS;
/** Bytes that a handshake and the first messages behind it take at most. */
export const MAX_HANDSHAKE_BYTES = 128 * 1024;
/** Bytes of it that the dialling peer sends before it has heard anything: the names of two protocols and a key. */
export const MAX_EARLY_BYTES = 4 * 1024;
/** DHT streams that a peer may have open here on one connection: our nodes and Go's keep one, and try a connection with another. */
export const MAX_DHT_STREAMS = 8;
/** The same for streams that this node opens: notices have one each. */
export const MAX_OUTBOUND_STREAMS = 64;
/** Streams that a peer may have open on one connection, of all protocols. */
export const MAX_STREAMS_PER_CONNECTION = 32;
/** Of these, those on which no protocol has been agreed on yet. */
export const MAX_UNTOLD_STREAMS = 16;
/** Bytes on such a stream: names of protocols, and the first message behind them. */
export const MAX_UNTOLD_BYTES = 64 * 1024;
/** Bytes that wait to be written to a peer that does not read: our own messages wait for room. */
export const MAX_UNSENT_BYTES = 1024 * 1024;
/** How often it is measured what waits on streams, while anything does. */
export const FRAMES_LOOK_MS = 50;
/** A peer that takes none of its answers for so long does not want them. */
export const SLOW_READER_MS = 5 * SECOND_MS;

/** Connections to one peer that are tried when it connects once more: the oldest ones and the latest. */
export const MAX_CHECKED_CONNECTIONS = 8;
/** When this node's timer was so late, that a connection was silent says nothing of it: it is tried again. */
export const LATE_CHECK_MS = SECOND_MS / 4;
/** How often, at most. */
export const CHECK_ATTEMPTS = 3;
/** How often peers that are gone are forgotten and spare connections end. To look through them costs a millisecond a peer. */
export const HOUSEKEEPING_INTERVAL_MS = 10 * MINUTE_MS;

/** Time to end a connection in an orderly way. */
export const PARTING_MS = SECOND_MS;
/** How long a peer that was lost is remembered: it may be the only way back when all are lost. */
export const KEEP_LOST_PEER_MS = 60 * MINUTE_MS;
/** Lost peers that are remembered: somebody who comes with an identity after the other must not fill the peer store. */
export const MAX_LOST_PEERS = 1000;

/** Of these, peers whose addresses and keys are kept: to be dialled where nobody else says where they are. */
export const MAX_STORED_PEERS = 256;

/** How long two nodes must show one identity at a time before that is said: the connection of a node that restarted elsewhere ends before. */
export const TWIN_CONFIRM_MS = 30 * SECOND_MS;
/** Most peers of which that was said: it is said once each. */
export const MAX_TWINS_REPORTED = 1000;
/** Beside the DHT's protocol: what a node does not provide any more, and that it leaves. Spegel's nodes do not speak it. */
export const NOTICE_PROTOCOL = '/spegel/notices/1.0.0';
