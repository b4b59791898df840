/** Bytes of the hash in a key, see contentMultihash. */
const HASH_BYTES = 32;
/** Where the hash begins in a key. */
const HASH_START = 2;
/** The last record or content of a list. */
const NONE = 0;
/**
 * Contents in a list when the table is full, on average. The lists begin anywhere in memory, and each of their pages counts once it
 * is used: with one list for each content some thousands of records need 1 MiB for where these begin.
 */
const CONTENTS_PER_LIST = 4;

/**
 * Memory of one record in bytes, with a content of its own: hash 32, list of the content 8, bucket 1 to 2, record 12.
 * See createRecordTable.
 */
export const RECORD_TABLE_BYTES = 54;

/** Records of content: a provider's number and a time each. A fixed amount of memory, outside of the engine's heap. */
export interface RecordTable {
  /** Records that are held. */
  readonly recordCount: number;
  /** Different keys of these records. */
  readonly contentCount: number;
  /**
   * Sets the time of the record of the key and the provider. False when there is none yet and no room for it. The key
   * is a multihash as contentMultihash makes it.
   */
  put(key: Uint8Array, provider: number, time: number): boolean;
  /** The record is there. */
  has(key: Uint8Array, provider: number): boolean;
  /** Calls the visitor for each record of the key, the oldest first. */
  visit(key: Uint8Array, visitor: (provider: number, time: number) => void): void;
  /** Removes the records of the key, or of all keys, to which the test says no. */
  retain(keeps: (provider: number, time: number) => boolean, key?: Uint8Array): void;
}

/**
 * Makes a table for at most `capacity` records. In arrays of numbers a record takes RECORD_TABLE_BYTES; as strings and
 * numbers of the engine it was 0.3 KB, and garbage each time that it came and went. The pages of an array count as
 * memory only once they are used, and what is free is used again first.
 */
export function createRecordTable(capacity: number): RecordTable {
  const bucketCount = 2 ** Math.ceil(Math.log2(Math.max(2, capacity / CONTENTS_PER_LIST)));
  // Numbers of contents and records begin with 1: what was never written is NONE.
  const buckets = new Int32Array(bucketCount);
  const hashes = new Int32Array(((capacity + 1) * HASH_BYTES) / 4);
  const firstRecords = new Int32Array(capacity + 1);
  const nextContents = new Int32Array(capacity + 1);
  const nextRecords = new Int32Array(capacity + 1);
  const providers = new Int32Array(capacity + 1);
  const times = new Int32Array(capacity + 1);
  const freeContents = createFreeList(nextContents);
  const freeRecords = createFreeList(nextRecords);
  /** So that no peer can choose keys that all fall into one bucket. */
  const [seed = 0] = crypto.getRandomValues(new Int32Array(1));
  /** The key that is looked at. */
  const words = new Int32Array(HASH_BYTES / 4);
  const bytesOfWords = new Uint8Array(words.buffer);

  const bucketOf = (key: Uint8Array) => {
    bytesOfWords.set(key.subarray(HASH_START, HASH_START + HASH_BYTES));
    let hash = seed;
    for (const word of words) {
      hash = Math.imul(hash ^ word, 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    return hash & (bucketCount - 1);
  };
  const isContent = (content: number) => {
    const at = content * words.length;
    for (let index = 0; index < words.length; index++) {
      if (hashes[at + index] !== words[index]) return false;
    }
    return true;
  };
  /** The key's content; NONE if there is none. */
  const find = (bucket: number) => {
    let content = buckets[bucket] ?? NONE;
    while (content !== NONE && !isContent(content)) content = nextContents[content] ?? NONE;
    return content;
  };
  /** The provider's record, or the last record of the content. */
  const findRecord = (content: number, provider: number) => {
    let record = firstRecords[content] ?? NONE;
    let last = record;
    while (record !== NONE && providers[record] !== provider) {
      last = record;
      record = nextRecords[record] ?? NONE;
    }
    return { record, last };
  };
  const retainOf = (content: number, keeps: (provider: number, time: number) => boolean) => {
    let before = NONE;
    let record = firstRecords[content] ?? NONE;
    while (record !== NONE) {
      const next = nextRecords[record] ?? NONE;
      if (keeps(providers[record] ?? 0, times[record] ?? 0)) before = record;
      else {
        if (before === NONE) firstRecords[content] = next;
        else nextRecords[before] = next;
        freeRecords.give(record);
      }
      record = next;
    }
  };
  /** Takes the contents of a bucket out that have no record left. */
  const tidy = (bucket: number) => {
    let before = NONE;
    let content = buckets[bucket] ?? NONE;
    while (content !== NONE) {
      const next = nextContents[content] ?? NONE;
      if (firstRecords[content] !== NONE) before = content;
      else {
        if (before === NONE) buckets[bucket] = next;
        else nextContents[before] = next;
        freeContents.give(content);
      }
      content = next;
    }
  };

  return {
    get recordCount() {
      return freeRecords.takenCount;
    },
    get contentCount() {
      return freeContents.takenCount;
    },
    put(key, provider, time) {
      const bucket = bucketOf(key);
      let content = find(bucket);
      const known = content === NONE ? { record: NONE, last: NONE } : findRecord(content, provider);
      if (known.record !== NONE) {
        times[known.record] = time;
        return true;
      }
      if (freeRecords.takenCount >= capacity) return false;
      if (content === NONE) {
        content = freeContents.take();
        hashes.set(words, content * words.length);
        firstRecords[content] = NONE;
        nextContents[content] = buckets[bucket] ?? NONE;
        buckets[bucket] = content;
      }
      const record = freeRecords.take();
      providers[record] = provider;
      times[record] = time;
      nextRecords[record] = NONE;
      if (known.last === NONE) firstRecords[content] = record;
      else nextRecords[known.last] = record;
      return true;
    },
    has(key, provider) {
      const content = find(bucketOf(key));
      return content !== NONE && findRecord(content, provider).record !== NONE;
    },
    visit(key, visitor) {
      const content = find(bucketOf(key));
      if (content === NONE) return;
      let record = firstRecords[content] ?? NONE;
      while (record !== NONE) {
        visitor(providers[record] ?? 0, times[record] ?? 0);
        record = nextRecords[record] ?? NONE;
      }
    },
    retain(keeps, key) {
      if (key !== undefined) {
        const bucket = bucketOf(key);
        const content = find(bucket);
        if (content !== NONE) retainOf(content, keeps);
        tidy(bucket);
        return;
      }
      for (let bucket = 0; bucket < bucketCount; bucket++) {
        let content = buckets[bucket] ?? NONE;
        if (content === NONE) continue;
        while (content !== NONE) {
          retainOf(content, keeps);
          content = nextContents[content] ?? NONE;
        }
        tidy(bucket);
      }
    },
  };
}

/** Gives out the numbers from 1 up to what the array holds. Numbers that were given back come first. */
function createFreeList(next: Int32Array) {
  let first = NONE;
  let used = 0;
  let takenCount = 0;
  return {
    get takenCount() {
      return takenCount;
    },
    take(): number {
      takenCount++;
      if (first === NONE) return ++used;
      const taken = first;
      first = next[taken] ?? NONE;
      return taken;
    },
    give(number: number): void {
      takenCount--;
      next[number] = first;
      first = number;
    },
  };
}
