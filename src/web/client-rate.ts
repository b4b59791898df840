import { addressShare } from '../runtime/address-share.ts';
import { lruSet } from '../runtime/lru-set.ts';
import { createTokenBucket, type TokenBucket, type TokenBucketOptions } from '../runtime/token-bucket.ts';

/** Clients that are remembered; a client that is forgotten may begin anew. */
const MAX_CLIENTS = 1000;

/** How often each client may ask for something that costs others work. */
export interface ClientRate {
  /** Counts a question from the address; false: it has asked too often, and is not answered. */
  take(address: string): boolean;
}

/** No client has asked yet. `nowMs` are milliseconds that never go back. */
export function createClientRate(nowMs: () => number, options: TokenBucketOptions): ClientRate {
  /** The client that asked last comes last. */
  const buckets = new Map<string, TokenBucket>();
  return {
    take(address) {
      const client = addressShare(address);
      const bucket = buckets.get(client) ?? createTokenBucket(nowMs, options);
      lruSet(buckets, client, bucket, MAX_CLIENTS);
      return bucket.take();
    },
  };
}
