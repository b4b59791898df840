/**
 * Sets an entry as the newest one, which comes last, and forgets the oldest one when there are more than `most`: for what
 * others can make a node remember.
 */
export function setNewest<K, V>(entries: Map<K, V>, key: K, value: V, most: number): void {
  entries.delete(key);
  entries.set(key, value);
  if (entries.size <= most) return;
  for (const oldest of entries.keys()) {
    entries.delete(oldest);
    return;
  }
}
