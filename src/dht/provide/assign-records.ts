import type { Delivery } from './delivery.ts';
import type { Outboxes } from './outboxes.ts';
import type { ProvidedKey, ProvidedKeys } from './provided-keys.ts';

/** How many keys are assigned before other work gets its turn. */
const KEYS_PER_TURN = 200;

/** Puts the record of each key into the outboxes of the peers that `choose` returns for it. Keys that are not provided are left out. */
export type AssignRecords = (
  keys: Iterable<string>,
  choose: (key: ProvidedKey) => readonly string[],
  delivery?: Delivery,
) => Promise<void>;

/** What createAssignRecords needs. */
export interface AssignRecordsDeps {
  readonly keys: Pick<ProvidedKeys, 'get'>;
  readonly outboxes: Pick<Outboxes, 'put'>;
}

/** Each peer gets all its keys in one go, once every key has been assigned. */
export function createAssignRecords({ keys: provided, outboxes }: AssignRecordsDeps): AssignRecords {
  return async (keys, choose, delivery) => {
    const keysByPeer = new Map<string, string[]>();
    let count = 0;
    for (const key of keys) {
      const entry = provided.get(key);
      if (entry === undefined) continue;
      for (const peerId of choose(entry)) {
        const list = keysByPeer.get(peerId);
        if (list === undefined) keysByPeer.set(peerId, [key]);
        else list.push(key);
      }
      if (++count % KEYS_PER_TURN === 0) await new Promise(setImmediate);
    }
    delivery?.expect(keysByPeer);
    for (const [peerId, list] of keysByPeer) outboxes.put(peerId, list, delivery);
  };
}
