const KIB = 1024;
const MIB = 1024 * KIB;
const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;

/** Largest request or response head, in bytes. Node's own default; containerd and peers send well under 2 KiB, a pull secret's token may add some. */
export const MAX_HEAD_BYTES = 16 * KIB;

/** Most header lines in one head. A registry client sends about ten. */
export const MAX_HEADER_COUNT = 64;

/** Longest request target, in bytes: 255 of repository, 128 of tag or 135 of digest, a registry's name, and room. */
export const MAX_TARGET_BYTES = 2 * KIB;

/** How long a client may take to send a head. A head fits in one packet, so this is generous; it ends slow-loris attacks. */
export const HEAD_RECEIVE_TIMEOUT_MS = 10 * SECOND_MS;

/** How often that is looked at: it is late by at most this. Each listener wakes the process so often, also an idle one. */
export const CONNECTIONS_CHECK_INTERVAL_MS = 5 * SECOND_MS;

/** How long an idle connection is kept for a client's next request. Longer than PEER_IDLE_TIMEOUT_MS, so that the client closes first. */
export const KEEP_ALIVE_TIMEOUT_MS = 75 * SECOND_MS;

/** Most connections at once: containerd opens a few per pull, each peer a few more. Each idle one costs some KiB. */
export const MAX_CONNECTIONS = 1024;

/** With few descriptors there is room for so many connections all the same: a pull of this node's and its probes. */
export const MIN_CONNECTIONS = 16;

/** Most requests on one connection. It bounds what is left behind by one, and what one burst of pipelined requests can ask for. */
export const MAX_REQUESTS_PER_CONNECTION = 1000;

/** Most bytes that wait for their turn on a connection: two heads. No client of a registry sends requests ahead; what sends more is cut off. */
export const MAX_PIPELINED_BYTES = 32 * KIB;

/** A client that takes no byte of a body for this long is gone. The time after which kubelet gives up on a pull without progress. */
export const CLIENT_STALL_TIMEOUT_MS = 5 * MINUTE_MS;

/** How long a connection that ended with FIN is still read from. Closing it at once while the client's bytes are unread would send RST. */
export const LINGER_MS = 2 * SECOND_MS;

/**
 * How long a client that sent FIN after its request waits for the next bytes of its answer. Some half-close and read on (nc,
 * socat): what is sent to the others comes back as RST. While there is nothing to send, only this tells that they have left.
 */
export const HALF_CLOSED_WAIT_MS = 250;

/** How long the last bytes of broken-off responses get when a server closes. */
export const CLOSE_FLUSH_MS = 250;

/** Memory for reading files, shared by all bodies, in bytes, where the daemon's plan says nothing else. */
export const FILE_BUFFER_BUDGET_BYTES = 8 * MIB;

/** Largest read of a file: above 1 MiB the throughput of one reader does not grow. */
export const MAX_FILE_CHUNK_BYTES = 1 * MIB;

/** How long buffers are kept that no body uses. */
export const FILE_BUFFER_KEEP_MS = 5 * SECOND_MS;

/** Smallest read of a file: below 64 KiB the calls cost more than the bytes. */
export const MIN_FILE_CHUNK_BYTES = 64 * KIB;

/** How long an idle connection to a peer is kept. Shorter than any server's own time-out (KEEP_ALIVE_TIMEOUT_MS; Go keeps them for good). */
export const PEER_IDLE_TIMEOUT_MS = 30 * SECOND_MS;

/** Most idle connections to one peer: what one pull uses side by side (containerd fetches 3 layers at once). */
export const MAX_IDLE_PER_PEER = 4;

/** Most idle connections to all peers. */
export const MAX_IDLE_CONNECTIONS = 64;

/** An answer that nobody wants is read to its end, to keep its connection, if it has at most so many bytes left: an error's JSON. */
export const DISCARD_BYTES = 16 * KIB;

/** How long that may take. */
export const DISCARD_TIMEOUT_MS = 1 * SECOND_MS;

/**
 * Memory for the kernel's buffers of what peers send, shared by all bodies, in bytes (the kernel counts about
 * twice as much). It bounds what slow readers cost, and how far ahead of its client a body is fetched.
 */
export const PEER_RECEIVE_BUDGET_BYTES = 8 * MIB;

/** Largest such buffer: 512 MB/s at 1 ms round trip. */
export const MAX_PEER_RECEIVE_BUFFER_BYTES = 512 * KIB;

/**
 * A body's buffer has the smallest size until so many bytes have come: what clients leave early, or do not read, is little
 * then.
 */
export const PEER_RECEIVE_GROWS_AFTER_BYTES = 256 * KIB;

/** Smallest such buffer: 64 MB/s at 1 ms round trip, when 33 bodies or more share the link. */
export const MIN_PEER_RECEIVE_BUFFER_BYTES = 64 * KIB;

/**
 * Kernel buffers for what a client has not taken yet, per connection with a body, in bytes of payload; the kernel counts
 * twice as much. Up to `bodies` at once get `bytes`, the next ones less, so that 400 clients that do not read hold 20 MiB
 * together. 128 KiB are 128 MB/s at 1 ms round trip, and 256 KiB are no faster to a client on the same machine.
 */
export const CLIENT_SEND_BUFFERS: readonly { readonly bodies: number; readonly bytes: number }[] = [
  { bodies: 32, bytes: 128 * KIB },
  { bodies: 96, bytes: 32 * KIB },
  { bodies: Number.POSITIVE_INFINITY, bytes: 8 * KIB },
];
