import { contentMultihash, keyspacePosition } from '../../../src/dht/wire/content-key.ts';
import type { Digest } from '../../../src/oci/digest.ts';

/** Who is a member and there, as some nodes see it. */
export interface SimView {
  has(name: string): boolean;
  add(name: string): void;
  remove(name: string): void;
  /** The nodes closest to the digest, the closest first. */
  towersOf(digest: Digest, count: number): readonly string[];
}

const prefixOf = (bytes: Uint8Array) => Buffer.from(keyspacePosition(bytes)).readUInt32BE();
const MAX_TOWERS = 4;

/** Makes the view of nodes that know these members. */
export function createSimView(names: Iterable<string>): SimView {
  const prefixes = new Map<string, number>();
  const towers = new Map<Digest, readonly string[]>();
  const add = (name: string) => {
    prefixes.set(name, prefixOf(Buffer.from(name, 'hex')));
    towers.clear();
  };
  for (const name of names) add(name);

  const closest = (digest: Digest): readonly string[] => {
    const key = prefixOf(contentMultihash(digest));
    const found: { readonly name: string; readonly distance: number }[] = [];
    for (const [name, prefix] of prefixes) {
      const distance = (prefix ^ key) >>> 0;
      const last = found[MAX_TOWERS - 1];
      if (last !== undefined && last.distance <= distance) continue;
      found.push({ name, distance });
      found.sort((a, b) => a.distance - b.distance);
      if (found.length > MAX_TOWERS) found.pop();
    }
    return found.map(({ name }) => name);
  };
  return {
    has: (name) => prefixes.has(name),
    add,
    remove(name) {
      if (prefixes.delete(name)) towers.clear();
    },
    towersOf(digest, count) {
      let found = towers.get(digest);
      if (found === undefined) {
        found = closest(digest);
        towers.set(digest, found);
      }
      return found.slice(0, count);
    },
  };
}
