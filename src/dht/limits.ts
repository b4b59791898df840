const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;

/** k: how many nodes hold a record, and how many peers a bucket holds (the contract with Spegel). */
export const REPLICATION = 20;
/** Peers that one lookup asks at a time (alpha). One that does not answer must not hold the lookup up. */
export const LOOKUP_CONCURRENCY = 5;
/**
 * Peers of those closest to a key whose answers decide that nobody provides it. All k of them hold each record; one
 * may lack it for a moment, and each more costs its share of a millisecond on two nodes.
 */
export const LOOKUP_QUORUM = 3;
/**
 * Peers closer to a key that a node of this program is named when it asks for providers. It knows the cluster from its
 * crawls; twenty names, of 80 bytes each, were a quarter of what a question about nothing cost.
 */
export const CLOSER_TO_OUR_NODES = 5;
/** A lookup waits this long for one peer: far above what an answer takes on a busy machine, a fraction of what a pull notices. */
export const SLOW_ANSWER_MS = 250;
/** Most providers that are taken from one answer. Nobody tries more for one pull. */
export const MAX_PEERS_PER_ANSWER = 64;
/** For this long a peer that was just met may lack records that belong to it: its neighbours send them within a second or two. */
export const FRESH_PEER_MS = 3 * SECOND_MS;
/** How long a provider record is good for (the contract with Spegel). */
export const PROVIDER_VALIDITY_MS = 19 * MINUTE_MS;
/** How often our own records are provided again: before they fade, with room for one slow round. */
export const REPROVIDE_INTERVAL_MS = 15 * MINUTE_MS;
/** Most addresses that are taken from one peer of a bootstrap document. */
export const MAX_ADDRESSES_PER_PEER = 16;
/** Records that are sent to one peer before its answer is awaited: some 55 KB, so that a lookup does not wait long behind them. */
export const RECORDS_PER_SEND = 500;
/** Peers that records are sent to at a time. */
export const CONCURRENT_SENDS = 16;
/** One that does not take them by then leaves its place to the next: those who hang must not keep all others waiting. */
export const SEND_PLACE_MS = 1 * SECOND_MS;
/** So many of those at most: where all are busy more at a time would cost them more of what they lack. */
export const MAX_SLOW_SENDS = 64;
/** Tries per peer that is not connected before it counts as gone. When it comes back it gets its records as a new peer. */
export const SEND_ATTEMPTS = 3;
/** First wait before a peer is tried again. */
export const SEND_RETRY_INITIAL_MS = 250;
/** Longest wait before a peer is tried again. */
export const SEND_RETRY_MAX_MS = 5 * SECOND_MS;
/** New peers are gathered for this long before they get records, so that a starting cluster costs few rounds. */
export const NEW_PEER_DELAY_MS = 300;
/** Provider records that a node holds, where its memory says nothing else: 20 nodes of 10,000 blobs, 12 MB. */
export const MAX_PROVIDER_RECORDS = 200_000;
/** One address gets a record table's room divided by this, so that no single address can fill it. */
export const RECORD_SHARES = 5;
/** Nodes that are remembered: a cluster of 5,000 and those of it that were replaced lately, some 5 MB. */
export const MAX_KNOWN_PEERS = 6000;
/** Most bytes of a message that others send: 20 peers of 16 addresses have a tenth of that. */
export const MAX_MESSAGE_BYTES = 64 * 1024;
/** Peers that are not connected and whose own word of where they are is kept: it has up to 16 addresses, of which the table has 4. */
export const MAX_ABSENT_CLAIMS = 1000;
/** How long a peer that is gone is remembered as that: until its records have faded everywhere. */
export const DEAD_FOR_MS = 19 * MINUTE_MS;
/**
 * What a lookup found is given to the next one for the same key for this long: containerd asks HEAD, then GET, and for
 * layers that were looked up with their manifest three at a time. Who has died meanwhile is left out all the same.
 */
export const KEEP_FOUND_MS = 5 * SECOND_MS;
/** The same for nobody: no longer than new content may take to be findable by those who asked too early. */
export const KEEP_MISS_MS = 100;
/** Lookups whose outcome is kept. */
export const MAX_KEPT_LOOKUPS = 2000;
/** Peers that get a new record at once: more than a lookup asks, so that it is findable when they have it. */
export const EARLY_REPLICAS = 5;
/** The others of the k get it after so long, with what else has come: the blobs of one pull come one after the other. */
export const LATE_REPLICAS_DELAY_MS = 400;
/** A peer that was only named gets the records that belong to it so much later: that takes a connection, and it may come by itself. */
export const NAMED_PEER_DELAY_MS = 10 * SECOND_MS;
/** A peer that is gone for longer will not be back with its records: a restart takes less. */
export const LEFT_PEER_DELAY_MS = MINUTE_MS;
/** Parts in which all keys are provided again, spread over the interval, at most: each is a message to all who are close. */
export const MAX_SWEEP_PARTS = 15;
/** Keys that are worth a part of their own: some hundredths of a second of work for all who get them together. */
export const KEYS_PER_SWEEP_PART = 250;
/** IPs of one peer that are used: a node has an address or two of each family. More is a claim that would cost others a dial each. */
export const MAX_IPS_PER_PEER = 4;
/** Multihashes in one notice: some 36 KB. */
export const MAX_WITHDRAWN_PER_NOTICE = 1000;
/** A connected peer that was not heard for so long is asked whether it is there, by the first of those who watch it. */
export const PING_AFTER_MS = 3 * SECOND_MS;
/** And by the others, who would be needed only if the first one is gone, too. */
export const PING_NEXT_AFTER_MS = 4 * SECOND_MS;
/** The same for all, in a cluster so large that no node knows whose turn it is: not often, as there are many. */
export const PING_ALONE_AFTER_MS = 30 * SECOND_MS;
/**
 * Where it is not known whose turn it is in a smaller one all ask after so long, and one that was not heard for so long is
 * asked before it is handed out. With PING_TIMEOUT_MS and the time between looks within 10 s, too.
 */
export const QUIET_AFTER_MS = 5 * SECOND_MS;
/** Nodes whose turn it is: some may be busy, or not be connected to it. All asking would cost the square of their number. */
export const WATCHERS_PER_PEER = 3;
/** They tell the others when it has not answered for so long: those ask for themselves. */
export const SUSPECT_AFTER_MS = SECOND_MS;
/**
 * It counts as dead when it does not answer within this time: with the two above and the time between looks, within
 * 10 s everywhere.
 */
export const PING_TIMEOUT_MS = 2.5 * SECOND_MS;
/** Longest time between two looks: each wakes an idle node. */
export const PING_TICK_MS = SECOND_MS;
/** Shortest time between two: there is one when an answer is overdue. */
export const PING_LOOK_MIN_MS = SECOND_MS / 10;
/** A peer that was heard within this time is not asked, whatever others say. */
export const SUSPICION_PAUSE_MS = SECOND_MS;
/** Peers that one notice says do not answer. More at once are this node's own trouble, or will be seen by others. */
export const MAX_SUSPECTS_PER_NOTICE = 16;
/** A node whose own timers are that late is too busy to say of others that they do not answer. */
export const BUSY_TICK_MS = SECOND_MS;
/** And too busy to alarm others about them. */
export const LATE_TICK_MS = SECOND_MS / 4;
/** Lateness that timers have on a machine with little to do. */
export const USUAL_LATENESS_MS = 20;
/** A question takes so many times longer than usual as timers are late: it wakes a process at either end. */
export const STRAIN_PATIENCE = 2;
/** How often it is looked at whose turn it is to ask whom. */
export const WATCH_TURNS_MS = 5 * SECOND_MS;
/** The connection to a peer that has not answered for so long is given up. */
export const GIVE_UP_AFTER_MS = MINUTE_MS;
/** Time to say goodbye when a node stops. */
export const GOODBYE_TIMEOUT_MS = 500;
/** How often records that have faded are removed; they are not given out in the meantime. */
export const SWEEP_RECORDS_INTERVAL_MS = 2 * MINUTE_MS;
/** Connections up to which a node dials whoever it hears of: with those that are dialled to it, about twice as many. */
export const CONNECTION_TARGET = 128;
/** In a cluster of so many nodes, as a part of the connections that a node may have, each is connected to all. */
export const MESHED_SHARE = 0.9;
/** In a larger one a node dials up to this part of them: with those that are dialled to it it has twice as many, and some room. */
export const DIALLED_SHARE = 0.4;
/** For so long a peer that has parted is not looked for: it is there, and is dialled when it is needed. */
export const PARTED_MS = 30 * MINUTE_MS;
/** When a connection has ended at the latest, after one end has said that it will; long on any machine. */
export const PARTING_MS = 10 * SECOND_MS;
/** Time to tell a peer that its connection will end. */
export const TELL_PARTING_MS = SECOND_MS;
/** A peer that comes back so soon after it parted has not been started anew. */
export const JUST_PARTED_MS = 5 * SECOND_MS;
/** Dials at a time. */
export const CONCURRENT_DIALS = 3;
/** One that takes longer leaves its place to the next: those who accept connections and hang must not keep all others away. */
export const DIAL_PLACE_MS = 5 * SECOND_MS;
/** Rest after a dial, in times that it took: a cluster that starts together does not need them all at once. */
export const DIAL_REST = 2;
/** A dial that took longer met somebody who is busy: the rest is so many times longer again, or all would keep each other so. */
export const EASY_DIAL_MS = SECOND_MS / 5;
/** Longest such rest. */
export const DIAL_REST_MAX_MS = 20 * SECOND_MS;
/** Longest rest after one that failed: who is not there is not busy. */
export const FAILED_DIAL_REST_MAX_MS = 2 * SECOND_MS;
/** How long the one of two nodes whose turn it is not waits for the other one to dial. */
export const TURN_TO_DIAL_MS = 500;
/** First wait between two crawls while new peers turn up. */
export const CRAWL_INITIAL_MS = 500;
/** Longest wait: how often a node crawls when it hears of nobody new. */
export const CRAWL_MAX_MS = 5 * MINUTE_MS;
/** A peer that does not say by then who is close to a place is not waited for: those who have come are to be asked, too. */
export const FIND_NODE_TIMEOUT_MS = 3 * SECOND_MS;
/** Least wait, in times that a question took: a crawl may ask as much as it does a few times a minute, not more. */
export const CRAWL_REST = 20;
/** Longest such wait. */
export const CRAWL_REST_MAX_MS = 20 * SECOND_MS;
/** After a loss a node asks so much later who is there: whoever it was may be back elsewhere by then, and others hear of that first. */
export const CRAWL_AFTER_LOSS_MS = 4 * SECOND_MS;
/**
 * Peers of those closest to itself that a node asks who else is there, where it is not connected to all. Two nodes may
 * each be the other's closest one: asking only each other they never learn of their neighbours, and nobody learns of
 * those from them.
 */
export const OWN_REGION_ASKED = 3;
/** Peers that have just come and are asked who else is there, at a time; when more come all are asked. */
export const NEWCOMERS_ASKED = 3;
/** For so long after a loss all nodes are busy with it: they notice, ask anew, and try to reach who was lost. */
export const UNSETTLED_MS = 4 * SECOND_MS;
/** Questions of a crawl that are worth half a second's wait until the next: a large cluster is asked less often. */
export const REGIONS_PER_WAIT = 8;
/** Peers to expect for one question of a crawl: half of what an answer names, so that no region's are cut off. */
export const PEERS_PER_REGION = REPLICATION / 2;
/**
 * First wait before a peer that lost its connection is dialled again. It is passed over meanwhile; when several nodes die
 * at once all others dial them, and what is left of the machines' time belongs to those who ask for content.
 */
export const RECONNECT_INITIAL_MS = 2 * SECOND_MS;
/** Peers that are dialled again at a time: a node whose own network was away has lost all of them. */
export const CONCURRENT_RECONNECTS = 8;
/** Peers that are dialled again, or wait for it: whoever comes and goes with many identities must not fill this. */
export const MAX_RECONNECTING = 512;
/** Longest wait between two tries. */
export const RECONNECT_MAX_MS = 10 * SECOND_MS;
/** Tries before it is given up: about 30 s, what a restart takes. It dials us when it is back. */
export const RECONNECT_ATTEMPTS = 5;
/** First wait before a peer that counts as gone, and that somebody names, is dialled again. */
export const PROBE_INITIAL_MS = SECOND_MS;
/** Longest wait: a node that is back is used at the latest so long after it is named. */
export const PROBE_MAX_MS = 30 * SECOND_MS;
/** How long it is not believed that a peer is there after it could not be reached at what was named; doubled each time. */
export const FAILED_NAME_INITIAL_MS = 5 * SECOND_MS;
/** Longest time of that. */
export const FAILED_NAME_MAX_MS = 10 * MINUTE_MS;
