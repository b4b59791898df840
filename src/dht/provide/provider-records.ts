import { isContentMultihash } from '../wire/content-key.ts';
import { MAX_PROVIDER_RECORDS, PROVIDER_VALIDITY_MS } from '../limits.ts';
import { createRecordTable } from './record-table.ts';

/** One address gets a record table's room divided by this, so that no single address can fill it. */
export const RECORD_SHARES = 5;

/** What createProviderRecords needs. */
export interface ProviderRecordsDeps {
  /** Milliseconds that never go back. */
  readonly nowMs: () => number;
}

/** Bounds. */
export interface ProviderRecordsOptions {
  /** Records in all. */
  readonly maxRecords?: number;
  /** Records of one owner, see add(). Default: a fifth of all. */
  readonly maxRecordsPerOwner?: number;
  readonly validityMs?: number;
  /** The peer that this node is: its records are bounded by maxRecords only. */
  readonly self?: string;
}

/** Which peers provide which content, as this node was told. Peers are named by any string, always the same. */
export interface ProviderRecords {
  /** Records that are held now. Records that have faded count until the next sweep. */
  readonly recordCount: number;
  /** Content that any peer provides, or provided until a moment ago. */
  readonly contentCount: number;
  /** Peers that provide anything. */
  readonly providerCount: number;
  /** Records that were refused or dropped: there was no room, or the key is not a multihash of content. */
  readonly refusedCount: number;
  /**
   * Keeps the record that the peer provides the content, as of now. False when it is refused. The owner is what all
   * peers of one address have in common, and they get one share together. It is asked for with the first record of a
   * peer; the peer itself is the owner if it is not given.
   */
  add(multihash: Uint8Array, peer: string, ownerOf?: () => string | undefined): boolean;
  /** Forgets the record. */
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

/** Peers that share one part of the room. */
interface Owner {
  readonly name: string;
  /** Records of its peers. The records of peers that are gone count until the next sweep. */
  count: number;
}

/** A peer that provides something. */
interface Provider {
  readonly peer: string;
  readonly index: number;
  readonly owner: Owner;
  count: number;
  /** Its records are to be forgotten, at the next sweep at the latest. */
  isGone: boolean;
}

const SECOND_MS = 1000;
/** Time between two looks for records that have faded while there is no room. */
const SWEEP_PAUSE_MS = 10 * SECOND_MS;
/** Part of the room that is made at a time for records of the node itself. */
const OWN_STEP = 0.01;

/**
 * Bounded in all and per owner, so that no address can fill it. When it is full, an owner that holds less than an equal
 * part still gets its part: the owners that hold most lose records for that.
 */
export function createProviderRecords(
  { nowMs }: ProviderRecordsDeps,
  {
    maxRecords = MAX_PROVIDER_RECORDS,
    maxRecordsPerOwner = Math.ceil(maxRecords / RECORD_SHARES),
    validityMs = PROVIDER_VALIDITY_MS,
    self,
  }: ProviderRecordsOptions = {},
): ProviderRecords {
  const startMs = nowMs();
  const table = createRecordTable(maxRecords);
  const providers = new Map<string, Provider>();
  const owners = new Map<string, Owner>();
  const byIndex: (Provider | undefined)[] = [];
  const freeIndexes: number[] = [];
  /** Records of peers that are gone: not counted any more, but there until the next sweep. */
  let leftoverCount = 0;
  let refusedCount = 0;

  const seconds = () => Math.floor((nowMs() - startMs) / SECOND_MS);
  const hasFaded = (time: number) => time * SECOND_MS + validityMs < nowMs() - startMs;

  /** Says that a record of the provider is not there any more. */
  const release = (provider: Provider) => {
    provider.count--;
    provider.owner.count--;
    if (provider.isGone) leftoverCount--;
    if (provider.owner.count === 0) owners.delete(provider.owner.name);
    if (provider.count > 0) return;
    if (!provider.isGone) providers.delete(provider.peer);
    byIndex[provider.index] = undefined;
    freeIndexes.push(provider.index);
  };
  const retain = (keeps: (provider: Provider, time: number) => boolean, multihash?: Uint8Array) =>
    table.retain((index, time) => {
      const provider = byIndex[index];
      if (provider !== undefined && keeps(provider, time)) return true;
      if (provider !== undefined) release(provider);
      return false;
    }, multihash);
  let sweptMs = -Infinity;
  const sweep = () => {
    sweptMs = nowMs();
    retain(({ isGone }, time) => !isGone && !hasFaded(time));
  };
  /**
   * Makes room for an owner. Takes it from owners that hold more than an equal part of what this node itself leaves.
   */
  const makeRoom = (name: string): boolean => {
    // Looking through all records for each refused record would do the work of a flood.
    if (leftoverCount > 0 || nowMs() - sweptMs > SWEEP_PAUSE_MS) sweep();
    if (table.recordCount < maxRecords) return true;
    const isOwn = name === self;
    const own = owners.get(self ?? '')?.count ?? 0;
    const others = owners.size - (own > 0 ? 1 : 0) + (isOwn || owners.has(name) ? 0 : 1);
    const ownStep = isOwn ? Math.ceil(maxRecords * OWN_STEP) : 0;
    const share = Math.floor((maxRecords - own - ownStep) / Math.max(1, others));
    if (!isOwn && (share < 1 || (owners.get(name)?.count ?? 0) >= share)) return false;
    const before = table.recordCount;
    retain(({ owner }) => owner.name === self || owner.count <= share);
    refusedCount += before - table.recordCount;
    return table.recordCount < maxRecords;
  };
  const isRoomFor = (ownerName: string) => {
    const owner = owners.get(ownerName);
    if (ownerName !== self && owner !== undefined && owner.count >= maxRecordsPerOwner) {
      // Peers that fill the share and leave, over and over, must not take more than the share, nor be kept from it.
      if (leftoverCount === 0) return false;
      sweep();
      return (owners.get(ownerName)?.count ?? 0) < maxRecordsPerOwner;
    }
    return table.recordCount < maxRecords || makeRoom(ownerName);
  };
  const providerNamed = (peer: string, ownerName: string) => {
    const known = providers.get(peer);
    if (known !== undefined) return known;
    const index = freeIndexes.pop() ?? byIndex.length;
    const owner = owners.get(ownerName) ?? { name: ownerName, count: 0 };
    owners.set(ownerName, owner);
    const provider: Provider = { peer, index, owner, count: 0, isGone: false };
    byIndex[index] = provider;
    providers.set(peer, provider);
    return provider;
  };

  return {
    get recordCount() {
      return table.recordCount - leftoverCount;
    },
    get contentCount() {
      return table.contentCount;
    },
    get providerCount() {
      return providers.size;
    },
    get refusedCount() {
      return refusedCount;
    },
    add(multihash, peer, ownerOf = () => undefined) {
      if (!isContentMultihash(multihash)) {
        refusedCount++;
        return false;
      }
      const known = providers.get(peer);
      if (known !== undefined && table.has(multihash, known.index)) {
        return table.put(multihash, known.index, seconds());
      }
      const owner = known?.owner.name ?? ownerOf() ?? peer;
      if (!isRoomFor(owner)) {
        refusedCount++;
        return false;
      }
      // Making room may have taken the last record of the peer.
      const provider = providerNamed(peer, owner);
      provider.count++;
      provider.owner.count++;
      return table.put(multihash, provider.index, seconds());
    },
    remove(multihash, peer) {
      const provider = providers.get(peer);
      if (provider === undefined || !isContentMultihash(multihash)) return;
      retain((each) => each !== provider, multihash);
    },
    removeProvider(peer) {
      const provider = providers.get(peer);
      if (provider === undefined) return;
      providers.delete(peer);
      provider.isGone = true;
      leftoverCount += provider.count;
    },
    providersOf(multihash) {
      if (!isContentMultihash(multihash)) return [];
      const peers: string[] = [];
      table.visit(multihash, (index, time) => {
        const provider = byIndex[index];
        if (provider !== undefined && !provider.isGone && !hasFaded(time)) peers.push(provider.peer);
      });
      return peers;
    },
    isProvider: (peer) => providers.has(peer),
    sweep,
  };
}
