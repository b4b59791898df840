const KIB = 1024;
const SECOND_MS = 1000;

/** Largest request or response head, in bytes. Node's own default; containerd and peers send well under 2 KiB, a pull secret's token may add some. */
export const MAX_HEAD_BYTES = 16 * KIB;

/** Most header lines in one head. A registry client sends about ten. */
export const MAX_HEADER_COUNT = 64;

/** How long a connection that ended with FIN is still read from. Closing it at once while the client's bytes are unread would send RST. */
export const LINGER_MS = 2 * SECOND_MS;

/** Smallest read of a file: below 64 KiB the calls cost more than the bytes. */
export const MIN_FILE_CHUNK_BYTES = 64 * KIB;
