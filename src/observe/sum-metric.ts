/** Labels of samples to sum up. */
export type MetricLabels = Readonly<Record<string, string>>;

/**
 * Sums the samples of a metric in Prometheus' text format that carry all of the labels; undefined if there is none. Label
 * values with escapes match nothing.
 */
export function sumMetric(text: string, name: string, labels: MetricLabels = {}): number | undefined {
  let sum: number | undefined;
  for (const line of text.split('\n')) {
    const [, found, list = '', value = ''] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line) ?? [];
    if (found !== name) continue;
    const pairs = new Set(list.match(/\w+="[^"\\]*"/g));
    if (!Object.entries(labels).every(([key, text]) => pairs.has(`${key}="${text}"`))) continue;
    sum = (sum ?? 0) + Number(value);
  }
  return sum;
}
