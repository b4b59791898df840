import type { Digest } from '../oci/digest.ts';
import type { Tag } from '../store/content-store.ts';

/** Something that may be advertised. */
export type Advertisable =
  | { readonly kind: 'tag'; readonly key: string; readonly tag: Tag }
  | { readonly kind: 'digest'; readonly key: Digest };

/** What is to be done so that the router has what it should. */
export interface DueKeys {
  readonly removed: readonly string[];
  readonly added: readonly Advertisable[];
}

/** Keys with what the router should have of each, and what it has. What differs is due. */
export interface AdvertisedKeys {
  /** True while nothing is due. */
  readonly isSettled: boolean;
  /** The store has the item. */
  add(item: Advertisable): void;
  /** The store does not have the key any more. */
  remove(key: string): void;
  /** The store has these items, and no other. */
  replace(items: readonly Advertisable[]): void;
  /** Asks the filter again about the key. */
  evaluate(key: string): void;
  /** True if the store has the key. */
  isKnown(key: string): boolean;
  /** Up to `count` keys that are due, the longest due first. They stay due until settle(). */
  due(count: number): DueKeys;
  /** The router has withdrawn the keys. */
  withdrawn(keys: readonly string[]): void;
  /** The router is about to be given the items. Whether it takes them or not, it has to withdraw them from then on. */
  given(items: readonly Advertisable[]): void;
  /** The router has taken the items. */
  taken(items: readonly Advertisable[]): void;
  /** What was due has been done. A key that has changed back meanwhile stays due. */
  settle(due: DueKeys): void;
  /** True if the router has taken the key. */
  isTaken(key: string): boolean;
  /** The items that the router has taken. */
  takenItems(): Iterable<Advertisable>;
}

/** A key. There is a record of it while the store or the router has it. */
interface KeyRecord {
  /** The item as the store has it. */
  known: Advertisable | undefined;
  /** True if the store has it, and the filter lets it pass. */
  isDesired: boolean;
  /** The item as the router has taken it; `given`: the router may go on with it by itself, though it has failed or is not done. */
  sent: Advertisable | 'given' | undefined;
}

/** Settings of createAdvertisedKeys. */
export interface AdvertisedKeysOptions {
  /** Decides what the router should have of what the store has. */
  readonly shouldAdvertise: (item: Advertisable) => boolean;
  /** Called when something is due. May repeat itself. */
  readonly onDue: () => void;
}

/** Starts without a key. */
export function createAdvertisedKeys({ shouldAdvertise, onDue }: AdvertisedKeysOptions): AdvertisedKeys {
  const records = new Map<string, KeyRecord>();
  const dueKeys = new Set<string>();

  const recordOf = (key: string): KeyRecord => {
    const existing = records.get(key);
    if (existing !== undefined) return existing;
    const record = { known: undefined, isDesired: false, sent: undefined };
    records.set(key, record);
    return record;
  };
  /** Compares what the router should have of the key with what it has. */
  const compare = (key: string) => {
    const { known, isDesired, sent } = recordOf(key);
    const isSettled = isDesired ? isItem(sent) : sent === undefined;
    if (isSettled) dueKeys.delete(key);
    else dueKeys.add(key);
    if (known === undefined && sent === undefined) records.delete(key);
    if (dueKeys.size > 0) onDue();
  };
  const evaluate = (key: string) => {
    const record = recordOf(key);
    record.isDesired = record.known !== undefined && shouldAdvertise(record.known);
    if (record.isDesired && isItem(record.sent)) record.sent = record.known;
    compare(key);
  };
  const add = (item: Advertisable) => {
    recordOf(item.key).known = item;
    evaluate(item.key);
  };

  return {
    get isSettled() {
      return dueKeys.size === 0;
    },
    add,
    remove(key) {
      recordOf(key).known = undefined;
      evaluate(key);
    },
    replace(items) {
      for (const record of records.values()) record.known = undefined;
      for (const item of items) add(item);
      for (const [key, { known }] of records) if (known === undefined) evaluate(key);
    },
    evaluate,
    isKnown: (key) => records.get(key)?.known !== undefined,
    due(count) {
      const batch = [...dueKeys].slice(0, count).map((key) => ({ key, record: recordOf(key) }));
      return {
        removed: batch.flatMap(({ key, record }) => (record.isDesired ? [] : key)),
        added: batch.flatMap(({ record }) => (record.isDesired ? (record.known ?? []) : [])),
      };
    },
    withdrawn(keys) {
      for (const key of keys) recordOf(key).sent = undefined;
    },
    given(items) {
      for (const { key } of items) recordOf(key).sent ??= 'given';
    },
    taken(items) {
      for (const item of items) recordOf(item.key).sent = item;
    },
    settle({ removed, added }) {
      for (const key of removed) compare(key);
      for (const { key } of added) compare(key);
    },
    isTaken: (key) => isItem(records.get(key)?.sent),
    *takenItems() {
      for (const { sent } of records.values()) if (isItem(sent)) yield sent;
    },
  };
}

function isItem(sent: KeyRecord['sent']): sent is Advertisable {
  return sent !== undefined && sent !== 'given';
}
