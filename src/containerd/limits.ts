const SECOND_MS = 1000;
const MIB = 1024 * 1024;

/** A call for one image or blob: containerd answers these within a few ms, and a request for a manifest has 3 s in all. */
export const CALL_DEADLINE_MS = 2 * SECOND_MS;

/** A call that lists everything: containerd walks its whole database, on a disk that is busy with pulls. */
export const LIST_DEADLINE_MS = 20 * SECOND_MS;

/** All images come in one message, 0.5-1 KiB each with labels. containerd sends 16 MiB unless its configuration says more. */
export const MAX_RECEIVE_BYTES = 64 * MIB;

/**
 * How often an idle connection is tried. containerd counts gRPC pings more often than every 5 minutes as
 * misuse and hangs up, so a call of our own finds the containerd that hangs.
 */
export const PROBE_INTERVAL_MS = 5 * SECOND_MS;

/** How often everything is listed anew: it takes well under a second of one core for thousands of blobs, and bounds how long a missed change lasts. */
export const RECONCILE_INTERVAL_MS = 60 * SECOND_MS;

/** Delays between attempts to reach containerd: a restart takes about a second, and an attempt is cheap. */
export const RECONNECT = { initialMs: SECOND_MS / 10, maxMs: 2 * SECOND_MS } as const;

/** Delays between questions for a blob that is on disk and not yet known: the commit takes one fsync, mostly some ms. */
export const COMMIT_BACKOFF = { initialMs: 10, maxMs: SECOND_MS / 2 } as const;

/** For how long a blob on disk is asked for. After that it belongs to another namespace, or the reconcile finds it. */
export const COMMIT_WAIT_MS = 5 * SECOND_MS;

/** Blobs that are asked for one by one at a time; with more of them one listing is cheaper. */
export const MAX_PENDING_CHECKS = 1024;

/** Calls for single blobs in flight, so that a bulk import does not flood containerd. */
export const MAX_PARALLEL_CHECKS = 16;

/** Images that events asked to be read again; with more of them one listing is cheaper. */
export const MAX_PENDING_IMAGES = 256;

/** Files that are looked at in parallel while listing. */
export const MAX_PARALLEL_STATS = 32;

/** Least time between two readings of the blob folders on behalf of the ingest folder. */
export const SCAN_INTERVAL_MS = SECOND_MS;

/** Index -> index -> manifest -> config is the deepest that is in use; the limit only has to end. */
export const MAX_IMAGE_DEPTH = 8;

/** Digests taken from one image. The largest real ones have some hundred. */
export const MAX_IMAGE_DIGESTS = 10_000;

/** When to list after an image was deleted: garbage collection follows at once where CRI deletes, and tells of no content that another namespace keeps on disk. */
export const COLLECTION_WAIT_MS = 2 * SECOND_MS;
