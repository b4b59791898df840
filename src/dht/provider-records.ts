import { isContentMultihash } from './content-key.ts';
import { MAX_PROVIDER_RECORDS, MAX_RECORDS_PER_PROVIDER, PROVIDER_VALIDITY_MS } from './limits.ts';

/** What createProviderRecords needs. */
export interface ProviderRecordsDeps {
  /** Milliseconds that never go back. */
  readonly nowMs: () => number;
}

/** Bounds, for tests. */
export interface ProviderRecordsOptions {
  readonly maxRecords?: number;
  readonly maxRecordsPerProvider?: number;
  readonly validityMs?: number;
}

/** Who provides what, as this node was told. Peers are named by any string, the same one each time. */
export interface ProviderRecords {
  /** Records that are held now, those that faded since the last sweep included. */
  readonly recordCount: number;
  /** Content that anybody provides, or provided until a moment ago. */
  readonly contentCount: number;
  /** Peers that provide anything. */
  readonly providerCount: number;
  /** Records that were refused, for want of room or because their key is none. */
  readonly refusedCount: number;
  /** Keeps the record that the peer provides the content, as of now. False when it is refused. */
  add(multihash: Uint8Array, peer: string): boolean;
  /** Forgets that record. */
  remove(multihash: Uint8Array, peer: string): void;
  /** Forgets all records of a peer, at once. */
  removeProvider(peer: string): void;
  /** The peers that provide the content, by the records that have not faded. */
  providersOf(multihash: Uint8Array): readonly string[];
  /** True if the peer provides anything here. */
  isProvider(peer: string): boolean;
  /** Removes records that have faded. */
  sweep(): void;
}

/** A peer that provides something. */
interface Provider {
  readonly peer: string;
  readonly index: number;
  count: number;
  /** Its records are to be forgotten, at the next sweep at the latest. */
  isGone: boolean;
}

/** A record is one number: the provider's index times this, plus seconds since the store was made. */
const SECONDS_RANGE = 2 ** 30;
/** Providers at a time: what is left of the 53 bits of a number, and far more than a cluster has. */
const MAX_PROVIDERS = 2 ** 20;
/** Beyond its bound the store still takes records of peers that hold less than their fair share, up to so much more. */
const FAIR_SHARE_ROOM = 1.25;
const SECOND_MS = 1000;

/**
 * A record costs one number, and its key, which all records of a content share, a string of 34 characters: most
 * content of a cluster has few providers and some has all nodes. Bounded in all and per peer, so that no peer can
 * fill it: when it is full, those who hold less than their share are served before those who hold more.
 */
export function createProviderRecords(
  { nowMs }: ProviderRecordsDeps,
  {
    maxRecords = MAX_PROVIDER_RECORDS,
    maxRecordsPerProvider = MAX_RECORDS_PER_PROVIDER,
    validityMs = PROVIDER_VALIDITY_MS,
  }: ProviderRecordsOptions = {},
): ProviderRecords {
  const startMs = nowMs();
  /** Multihash, a character per byte -> its records. One record is kept without an array around it. */
  const records = new Map<string, number | number[]>();
  const providers = new Map<string, Provider>();
  const byIndex: (Provider | undefined)[] = [];
  const freeIndexes: number[] = [];
  let recordCount = 0;
  /** Records of peers that are gone: not counted any more, but there until the next sweep. */
  let leftoverCount = 0;
  let refusedCount = 0;

  const seconds = () => Math.floor((nowMs() - startMs) / SECOND_MS);
  const hasFaded = (record: number) => (record % SECONDS_RANGE) * SECOND_MS + validityMs < nowMs() - startMs;
  const ownerOf = (record: number) => byIndex[Math.floor(record / SECONDS_RANGE)];

  const isRoomFor = (count: number) => {
    if (count >= maxRecordsPerProvider) return false;
    // One that comes, fills its share and leaves, over and over, must not take more than that.
    if (leftoverCount > 0 && recordCount + leftoverCount >= maxRecords) sweep();
    if (recordCount < maxRecords) return true;
    return recordCount < maxRecords * FAIR_SHARE_ROOM && count < maxRecords / (providers.size + 1);
  };
  const providerNamed = (peer: string) => {
    const known = providers.get(peer);
    if (known !== undefined) return known;
    const index = freeIndexes.pop() ?? byIndex.length;
    const provider: Provider = { peer, index, count: 0, isGone: false };
    byIndex[index] = provider;
    providers.set(peer, provider);
    return provider;
  };
  /** Says that a record of the provider is not there any more. */
  const release = (provider: Provider) => {
    provider.count--;
    if (provider.isGone) leftoverCount--;
    else recordCount--;
    if (provider.count > 0) return;
    if (!provider.isGone) providers.delete(provider.peer);
    byIndex[provider.index] = undefined;
    freeIndexes.push(provider.index);
  };
  /** Keeps those records of a key that the test says yes to. */
  const retain = (key: string, held: number | number[], keeps: (record: number) => boolean) => {
    const all = typeof held === 'number' ? [held] : held;
    const kept = all.filter((record) => {
      if (keeps(record)) return true;
      const owner = ownerOf(record);
      if (owner !== undefined) release(owner);
      return false;
    });
    if (kept.length === all.length) return;
    const [only] = kept;
    if (only === undefined) records.delete(key);
    else records.set(key, kept.length === 1 ? only : kept);
  };
  const sweep = () => {
    for (const [key, held] of records) {
      retain(key, held, (record) => ownerOf(record)?.isGone === false && !hasFaded(record));
    }
  };

  return {
    get recordCount() {
      return recordCount;
    },
    get contentCount() {
      return records.size;
    },
    get providerCount() {
      return providers.size;
    },
    get refusedCount() {
      return refusedCount;
    },
    add(multihash, peer) {
      const known = providers.get(peer);
      const key = isContentMultihash(multihash) ? keyOf(multihash) : undefined;
      let held = key === undefined ? undefined : records.get(key);
      if (known !== undefined && key !== undefined && held !== undefined) {
        const record = known.index * SECONDS_RANGE + seconds();
        const all = typeof held === 'number' ? [held] : held;
        const place = all.findIndex((each) => Math.floor(each / SECONDS_RANGE) === known.index);
        if (place >= 0) {
          if (typeof held === 'number') records.set(key, record);
          else held[place] = record;
          return true;
        }
      }
      if (
        key === undefined ||
        !isRoomFor(known?.count ?? 0) ||
        (known === undefined && providers.size >= MAX_PROVIDERS)
      ) {
        refusedCount++;
        return false;
      }
      // Making room may have changed it.
      held = records.get(key);
      const provider = providerNamed(peer);
      provider.count++;
      recordCount++;
      const record = provider.index * SECONDS_RANGE + seconds();
      if (held === undefined) records.set(key, record);
      else if (typeof held === 'number') records.set(key, [held, record]);
      else held.push(record);
      return true;
    },
    remove(multihash, peer) {
      const provider = providers.get(peer);
      const key = keyOf(multihash);
      const held = records.get(key);
      if (provider === undefined || held === undefined) return;
      retain(key, held, (record) => Math.floor(record / SECONDS_RANGE) !== provider.index);
    },
    removeProvider(peer) {
      const provider = providers.get(peer);
      if (provider === undefined) return;
      providers.delete(peer);
      provider.isGone = true;
      recordCount -= provider.count;
      leftoverCount += provider.count;
    },
    providersOf(multihash) {
      const held = records.get(keyOf(multihash));
      if (held === undefined) return [];
      const peers: string[] = [];
      for (const record of typeof held === 'number' ? [held] : held) {
        const owner = ownerOf(record);
        if (owner !== undefined && !owner.isGone && !hasFaded(record)) peers.push(owner.peer);
      }
      return peers;
    },
    isProvider: (peer) => providers.has(peer),
    sweep,
  };
}

function keyOf(multihash: Uint8Array): string {
  return Buffer.from(multihash.buffer, multihash.byteOffset, multihash.byteLength).toString('latin1');
}
