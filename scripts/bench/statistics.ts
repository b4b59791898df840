/** The middle value; the mean of the two middle ones for an even count. Throws for an empty list. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  if (upper === undefined || lower === undefined) throw new RangeError('Cannot take the median of nothing');
  return (lower + upper) / 2;
}

/** Median with the smallest and the largest value: `1.20 (1.10-1.43)`. */
export function formatSpread(values: readonly number[], digits = 2): string {
  const [middle, min, max] = [median(values), Math.min(...values), Math.max(...values)];
  return `${middle.toFixed(digits)} (${min.toFixed(digits)}-${max.toFixed(digits)})`;
}
