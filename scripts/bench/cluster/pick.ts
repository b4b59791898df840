/** One of them at random. Throws RangeError for an empty list. */
export function pick<T>(items: readonly T[]): T {
  const item = items[Math.floor(Math.random() * items.length)];
  if (item === undefined) throw new RangeError('Cannot pick one of none');
  return item;
}

/** Some of them in random order, none twice. */
export function sample<T>(items: readonly T[], count: number): T[] {
  const rest = [...items];
  for (let index = rest.length - 1; index > 0; index--) {
    const other = Math.floor(Math.random() * (index + 1));
    [rest[index], rest[other]] = [rest[other] as T, rest[index] as T];
  }
  return rest.slice(0, count);
}
