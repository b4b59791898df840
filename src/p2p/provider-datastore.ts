import { BaseDatastore } from 'datastore-core';
import { type Datastore, Key, type KeyQuery, type Pair, type Query } from 'interface-datastore';
import { varint } from 'multiformats';
import { base32 } from 'multiformats/bases/base32';

import { MAX_PROVIDER_RECORDS, MAX_RECORDS_PER_PROVIDER, PROVIDER_VALIDITY_MS } from './limits.ts';

/** Where kad-dht 16 keeps provider records: `/dht/provider/<multihash in base32>/<peer ID>`, the value a varint of Unix ms. */
const PROVIDER_PREFIX = '/dht/provider';

/** Bounds, for tests. */
export interface ProviderDatastoreOptions {
  readonly maxRecords?: number;
  readonly maxRecordsPerProvider?: number;
  readonly validityMs?: number;
  /** Unix time in ms. Default Date.now. */
  readonly now?: () => number;
}

/** A datastore in memory for libp2p, made for what the DHT asks of it. */
export interface ProviderDatastore extends Datastore {
  /** Provider records that are held now, faded ones included until the next sweep. */
  readonly recordCount: number;
  /** Records that were refused because the store, or the share of their provider, was full. */
  readonly refusedCount: number;
  /** Keeps the record that the peer provides the content, as of now. */
  addRecord(multihash: Uint8Array, peerId: string): void;
  /** Forgets that record. */
  removeRecord(multihash: Uint8Array, peerId: string): void;
  /** The peers that provide the content, by the records that have not faded. */
  providersOf(multihash: Uint8Array): readonly string[];
  /** True if the peer provides anything here. */
  isProvider(peerId: string): boolean;
  /** Removes records that have faded. */
  sweep(): void;
}

/**
 * Provider records are found by their key without a scan (libp2p's own memory datastore scans all records for
 * each GET_PROVIDERS), are bounded in number, and are not given out once they have faded (kad-dht gives them out
 * until its next clean-up). Everything else (the peer store) is a plain map.
 */
export function createProviderDatastore(options: ProviderDatastoreOptions = {}): ProviderDatastore {
  return new IndexedDatastore(options);
}

/** A record's place: the content and the peer that provides it. */
interface RecordKey {
  readonly content: string;
  readonly provider: string;
}

class IndexedDatastore extends BaseDatastore implements ProviderDatastore {
  /** content -> provider -> Unix ms of the record. */
  readonly #records = new Map<string, Map<string, number>>();
  /** provider -> how many records it has; the key is the one copy of that string. */
  readonly #shares = new Map<string, { readonly id: string; count: number }>();
  readonly #others = new Map<string, Uint8Array>();
  readonly #maxRecords: number;
  readonly #maxRecordsPerProvider: number;
  readonly #validityMs: number;
  readonly #now: () => number;
  #recordCount = 0;
  #refusedCount = 0;

  constructor(options: ProviderDatastoreOptions) {
    super();
    this.#maxRecords = options.maxRecords ?? MAX_PROVIDER_RECORDS;
    this.#maxRecordsPerProvider = options.maxRecordsPerProvider ?? MAX_RECORDS_PER_PROVIDER;
    this.#validityMs = options.validityMs ?? PROVIDER_VALIDITY_MS;
    this.#now = options.now ?? Date.now;
  }

  get recordCount(): number {
    return this.#recordCount;
  }

  get refusedCount(): number {
    return this.#refusedCount;
  }

  addRecord(multihash: Uint8Array, peerId: string): void {
    this.#add({ content: base32.baseEncode(multihash), provider: peerId }, this.#now());
  }

  removeRecord(multihash: Uint8Array, peerId: string): void {
    this.#remove({ content: base32.baseEncode(multihash), provider: peerId });
  }

  providersOf(multihash: Uint8Array): readonly string[] {
    const providers = this.#records.get(base32.baseEncode(multihash)) ?? [];
    return [...providers].flatMap(([provider, timeMs]) => (this.#hasFaded(timeMs) ? [] : [provider]));
  }

  isProvider(peerId: string): boolean {
    return this.#shares.has(peerId);
  }

  sweep(): void {
    for (const [content, providers] of this.#records) {
      for (const [provider, timeMs] of providers) {
        if (this.#hasFaded(timeMs)) this.#remove({ content, provider });
      }
    }
  }

  override put(key: Key, value: Uint8Array): Key {
    const record = parseRecordKey(key);
    if (record === undefined) this.#others.set(key.toString(), value);
    else this.#add(record, varint.decode(value)[0]);
    return key;
  }

  override get(key: Key): Uint8Array {
    const record = parseRecordKey(key);
    const value =
      record === undefined
        ? this.#others.get(key.toString())
        : encodeTime(this.#records.get(record.content)?.get(record.provider));
    if (value === undefined) throw new NotFoundError(`No entry ${key.toString()}`);
    return value;
  }

  override has(key: Key): boolean {
    const record = parseRecordKey(key);
    if (record === undefined) return this.#others.has(key.toString());
    return this.#records.get(record.content)?.has(record.provider) === true;
  }

  override delete(key: Key): void {
    const record = parseRecordKey(key);
    if (record === undefined) this.#others.delete(key.toString());
    else this.#remove(record);
  }

  override *_all({ prefix = '' }: Query): Generator<Pair> {
    const content = contentOfPrefix(prefix);
    if (content !== undefined) {
      yield* this.#recordsOf(content);
      return;
    }
    for (const [name, value] of this.#others) {
      if (name.startsWith(prefix)) yield { key: new Key(name, false), value };
    }
    // Both ways round: the prefix may be shorter or longer than where the records are.
    if (!`${PROVIDER_PREFIX}/`.startsWith(prefix) && !prefix.startsWith(PROVIDER_PREFIX)) return;
    for (const each of this.#records.keys()) yield* this.#recordsOf(each);
  }

  override *_allKeys({ prefix }: KeyQuery): Generator<Key> {
    for (const { key } of this._all(prefix === undefined ? {} : { prefix })) yield key;
  }

  *#recordsOf(content: string): Generator<Pair> {
    for (const [provider, timeMs] of this.#records.get(content) ?? []) {
      const value = encodeTime(timeMs);
      if (value === undefined || this.#hasFaded(timeMs)) continue;
      yield { key: new Key(`${PROVIDER_PREFIX}/${content}/${provider}`, false), value };
    }
  }

  #add({ content, provider }: RecordKey, timeMs: number): void {
    const providers = this.#records.get(content);
    if (providers?.has(provider) === true) {
      providers.set(provider, timeMs);
      return;
    }
    const share = this.#shares.get(provider) ?? { id: provider, count: 0 };
    if (this.#recordCount >= this.#maxRecords || share.count >= this.#maxRecordsPerProvider) {
      this.#refusedCount++;
      return;
    }
    share.count++;
    this.#recordCount++;
    this.#shares.set(share.id, share);
    // The interned ID: twenty thousand records of one peer share one string.
    if (providers === undefined) this.#records.set(content, new Map([[share.id, timeMs]]));
    else providers.set(share.id, timeMs);
  }

  #remove({ content, provider }: RecordKey): void {
    const providers = this.#records.get(content);
    if (providers?.delete(provider) !== true) return;
    if (providers.size === 0) this.#records.delete(content);
    this.#recordCount--;
    const share = this.#shares.get(provider);
    if (share === undefined) return;
    share.count--;
    if (share.count === 0) this.#shares.delete(provider);
  }

  #hasFaded(timeMs: number): boolean {
    return timeMs + this.#validityMs < this.#now();
  }
}

/** What libp2p looks for, by its name, when an entry is absent. */
class NotFoundError extends Error {
  override readonly name = 'NotFoundError';
  readonly code = 'ERR_NOT_FOUND';
}

function parseRecordKey(key: Key): RecordKey | undefined {
  const text = key.toString();
  if (!text.startsWith(`${PROVIDER_PREFIX}/`)) return undefined;
  const [content, provider, ...rest] = text.slice(PROVIDER_PREFIX.length + 1).split('/');
  if (content === undefined || provider === undefined || rest.length > 0) return undefined;
  return { content, provider };
}

/** The content that a query's prefix names, or undefined if the query is a wider one. */
function contentOfPrefix(prefix: string): string | undefined {
  if (!prefix.startsWith(`${PROVIDER_PREFIX}/`)) return undefined;
  const content = prefix.slice(PROVIDER_PREFIX.length + 1);
  return content === '' || content.includes('/') ? undefined : content;
}

function encodeTime(timeMs: number | undefined): Uint8Array | undefined {
  if (timeMs === undefined) return undefined;
  return varint.encodeTo(timeMs, new Uint8Array(varint.encodingLength(timeMs)));
}
