/** What a label value becomes once the cap is reached. */
export const OVERFLOW_LABEL = 'other';

/** Keeps the distinct values of a label bounded: values come from requests, and each makes a time series for good. */
export function createLabelCap(maxValues: number): (value: string) => string {
  const seen = new Set<string>();
  return (value) => {
    if (seen.has(value)) return value;
    if (seen.size >= maxValues) return OVERFLOW_LABEL;
    seen.add(value);
    return value;
  };
}
