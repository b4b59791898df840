import { describe, expect, test } from 'bun:test';

import { digestOf, type Digest } from '../oci/digest.ts';
import { type Advertisable, type AdvertisedKeys, createAdvertisedKeys } from './advertised-keys.ts';

const [A, B, C] = ['a', 'b', 'c'].map((text) => digestOf(Buffer.from(text))) as [Digest, Digest, Digest];
const item = (key: Digest): Advertisable => ({ kind: 'digest', key });
/** `v1`, which names the digest. */
const tag = (digest: Digest): Advertisable => {
  const [registry, repository, name] = ['registry.lab:5000', 'app', 'v1'];
  return { kind: 'tag', key: 'v1', tag: { registry, repository, tag: name, digest } };
};

function start() {
  const refused = new Set<string>();
  let told = 0;
  const keys = createAdvertisedKeys({ shouldAdvertise: ({ key }) => !refused.has(key), onDue: () => told++ });
  return { keys, refused, told: () => told };
}

const dueOf = (keys: AdvertisedKeys) => {
  const { removed, added } = keys.due(100);
  return { removed, added: added.map(({ key }) => key) };
};
/** The router does what is due. */
function send(keys: AdvertisedKeys): void {
  const due = keys.due(100);
  keys.withdrawn(due.removed);
  keys.given(due.added);
  keys.taken(due.added);
  keys.settle(due);
}
const takenOf = (keys: AdvertisedKeys) => [...keys.takenItems()].map(({ key }) => key);

describe('createAdvertisedKeys()', () => {
  test('has what the store has, once the router has taken it', () => {
    const { keys, told } = start();
    expect([keys.isSettled, told()]).toEqual([true, 0]);
    for (const key of [A, B]) keys.add(item(key));
    expect([keys.isSettled, told() > 0, dueOf(keys), takenOf(keys)]).toEqual([
      false,
      true,
      { removed: [], added: [A, B] },
      [],
    ]);
    expect(keys.due(1).added).toEqual([item(A)]);
    send(keys);
    expect([keys.isSettled, takenOf(keys), keys.isTaken(A)]).toEqual([true, [A, B], true]);
    keys.add(item(A));
    expect(keys.isSettled).toBe(true);
    keys.remove(A);
    expect([dueOf(keys), keys.isKnown(A), keys.isTaken(A)]).toEqual([
      { removed: [A], added: [] },
      false,
      true,
    ]);
    send(keys);
    expect([keys.isSettled, takenOf(keys)]).toEqual([true, [B]]);
  });

  test('replace() removes what is not named, and leaves the rest alone', () => {
    const { keys } = start();
    keys.replace([item(A), item(B)]);
    send(keys);
    keys.replace([item(B), item(C)]);
    expect(dueOf(keys)).toEqual({ removed: [A], added: [C] });
    keys.replace([item(A), item(B)]);
    expect(keys.isSettled).toBe(true);
  });

  test('withdraws what the router was given and has not taken', () => {
    const { keys } = start();
    keys.add(item(A));
    keys.given(keys.due(100).added);
    expect([dueOf(keys), keys.isTaken(A)]).toEqual([{ removed: [], added: [A] }, false]);
    keys.remove(A);
    expect(dueOf(keys)).toEqual({ removed: [A], added: [] });
  });

  test('keeps due what changes while the router works', () => {
    const { keys } = start();
    keys.add(item(A));
    const due = keys.due(100);
    keys.remove(A);
    // What is under way ends as if nothing had happened.
    keys.given(due.added);
    keys.taken(due.added);
    keys.settle(due);
    expect(dueOf(keys)).toEqual({ removed: [A], added: [] });
    const removing = keys.due(100);
    keys.add(item(A));
    keys.withdrawn(removing.removed);
    keys.settle(removing);
    expect(dueOf(keys)).toEqual({ removed: [], added: [A] });
  });

  test('evaluate() asks the filter again', () => {
    const { keys, refused } = start();
    refused.add(A);
    keys.replace([item(A), item(B)]);
    send(keys);
    expect(takenOf(keys)).toEqual([B]);
    refused.delete(A);
    refused.add(B);
    for (const key of [A, B, C]) keys.evaluate(key);
    expect(dueOf(keys)).toEqual({ removed: [B], added: [A] });
    expect(keys.isKnown(B)).toBe(true);
  });

  test('knows which digest a tag names now', () => {
    const { keys } = start();
    keys.add(tag(A));
    send(keys);
    keys.add(tag(B));
    expect([keys.isSettled, [...keys.takenItems()]]).toEqual([true, [tag(B)]]);
  });
});
