/**
 * Sets an entry as the newest one, which comes last, and forgets the oldest one when there are more than `most`: for what
 * others can make a node remember. `onForgotten` is called with the one that is forgotten.
 */
export function lruSet<K, V>(
  entries: Map<K, V>,
  key: K,
  value: V,
  most: number,
  onForgotten?: (key: K, value: V) => void,
): void {
  entries.delete(key);
  entries.set(key, value);
  if (entries.size <= most) return;
  for (const [oldest, forgotten] of entries) {
    entries.delete(oldest);
    onForgotten?.(oldest, forgotten);
    return;
  }
}
