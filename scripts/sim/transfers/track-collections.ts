/** What was made, and how large the largest of its collections is by now. */
export interface Tracked<T> {
  readonly made: T;
  /** The most entries of one of the maps and sets that were made with it. */
  mostEntries(): number;
}

/** Makes something and keeps an eye on each map and set that it makes at once: what it remembers, whatever it is called. */
export function trackCollections<T>(make: () => T): Tracked<T> {
  const collections: { readonly size: number }[] = [];
  const { Map: RealMap, Set: RealSet } = globalThis;
  const watching = <C extends new (...args: never[]) => { readonly size: number }>(Real: C): C =>
    new Proxy(Real, {
      construct(target, args, newTarget) {
        const made = Reflect.construct(target, args, newTarget as typeof Real) as { readonly size: number };
        collections.push(made);
        return made;
      },
    });
  globalThis.Map = watching(RealMap);
  globalThis.Set = watching(RealSet);
  try {
    return {
      made: make(),
      mostEntries: () => Math.max(0, ...collections.map(({ size }) => size)),
    };
  } finally {
    globalThis.Map = RealMap;
    globalThis.Set = RealSet;
  }
}
