/**
 * How long it is remembered that no node has a key, in ms, by lookups and by requests: new content has to be findable so
 * soon by those that asked too early.
 */
export const MISS_LIFETIME_MS = 100;
