/** What a histogram is called, and how it is divided. */
export interface SeriesHistogramOptions {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  /** Upper bounds in ascending order, without infinity. */
  readonly buckets: readonly number[];
}

/** A line of what is exposed. */
export interface ExposedValue {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** The samples that have the same labels. */
export interface HistogramSeries {
  observe(value: number): void;
}

/**
 * A histogram whose series are made once, and then take a sample in some nanoseconds: prom-client's looks the series up by text that
 * it makes of the labels, for each sample. A registry of prom-client exposes it as its own.
 */
export interface SeriesHistogram {
  readonly name: string;
  readonly type: 'histogram';
  /**
   * Makes the series with these values of the labels, in the order of their names. Throws an Error where there is one. It is exposed from its first
   * sample on.
   */
  createSeries(...labelValues: readonly string[]): HistogramSeries;
  /** What a registry exposes. */
  get(): Promise<{
    readonly name: string;
    readonly help: string;
    readonly type: 'histogram';
    readonly values: readonly ExposedValue[];
  }>;
}

/** Has no series yet. */
export function createSeriesHistogram({
  name,
  help,
  labelNames,
  buckets,
}: SeriesHistogramOptions): SeriesHistogram {
  const all: Series[] = [];
  const known = new Set<string>();
  return {
    name,
    type: 'histogram',
    createSeries(...labelValues) {
      const labels = Object.fromEntries(labelNames.map((label, at) => [label, labelValues[at] ?? '']));
      const key = JSON.stringify(labelValues);
      if (known.has(key)) throw new Error(`Cannot make the series ${key} of ${name} twice`);
      known.add(key);
      const series = new Series(labels, buckets);
      all.push(series);
      return series;
    },
    get: async () => {
      const observed = all.filter(({ count }) => count > 0);
      return { name, help, type: 'histogram', values: observed.flatMap((series) => series.valuesOf(name)) };
    },
  };
}

class Series implements HistogramSeries {
  readonly #labels: Readonly<Record<string, string>>;
  readonly #buckets: readonly number[];
  /** Of each bucket, without the samples of those below it. */
  readonly #counts: number[];
  #sum = 0;
  count = 0;

  constructor(labels: Readonly<Record<string, string>>, buckets: readonly number[]) {
    this.#labels = labels;
    this.#buckets = buckets;
    this.#counts = buckets.map(() => 0);
  }

  observe(value: number): void {
    this.count++;
    this.#sum += value;
    const buckets = this.#buckets;
    for (let at = 0; at < buckets.length; at++) {
      if (value > (buckets[at] ?? Infinity)) continue;
      this.#counts[at] = (this.#counts[at] ?? 0) + 1;
      return;
    }
  }

  /** What is exposed, below the histogram's name. */
  valuesOf(name: string): ExposedValue[] {
    const labels = this.#labels;
    let below = 0;
    const bounded = this.#buckets.map((le, at) => {
      below += this.#counts[at] ?? 0;
      return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: below };
    });
    return [
      ...bounded,
      { metricName: `${name}_bucket`, labels: { le: '+Inf', ...labels }, value: this.count },
      { metricName: `${name}_sum`, labels, value: this.#sum },
      { metricName: `${name}_count`, labels, value: this.count },
    ];
  }
}
