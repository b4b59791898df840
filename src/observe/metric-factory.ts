import { Counter, Gauge, Histogram, type Metric, Registry } from 'prom-client';
import { createSeriesHistogram } from './series-histogram.ts';

/** What a metric is, for docs/REFERENCE.md. */
export interface MetricDefinition {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
}

/** Makes metrics in a registry of their own. */
export type MetricFactory = ReturnType<typeof createMetricFactory>;

/** Creates a factory with an empty registry. */
export function createMetricFactory() {
  const registry = new Registry();
  const registers = [registry];
  const definitions: MetricDefinition[] = [];
  const refreshes: (() => void | Promise<void>)[] = [];
  return {
    /** All that were made, in the order in which they are exposed. */
    definitions: definitions as readonly MetricDefinition[],
    counter: (name: string, help: string, labelNames: string[] = []) => {
      definitions.push({ name, type: 'counter', help, labels: labelNames });
      return new Counter({ name, help, labelNames, registers });
    },
    gauge: (name: string, help: string, labelNames: string[] = []) => {
      definitions.push({ name, type: 'gauge', help, labels: labelNames });
      return new Gauge({ name, help, labelNames, registers });
    },
    histogram: (name: string, help: string, labelNames: string[], buckets: number[]) => {
      definitions.push({ name, type: 'histogram', help, labels: labelNames });
      return new Histogram({ name, help, labelNames, buckets, registers });
    },
    /** A histogram that takes a sample for each request. */
    seriesHistogram: (name: string, help: string, labelNames: string[], buckets: number[]) => {
      definitions.push({ name, type: 'histogram', help, labels: labelNames });
      const histogram = createSeriesHistogram({ name, help, labelNames, buckets });
      registry.registerMetric(histogram as unknown as Metric);
      return histogram;
    },
    /** Has this called before each exposure: it brings samples up to date of what is read, not told. */
    beforeExposing: (refresh: () => void | Promise<void>): void => void refreshes.push(refresh),
    /** The content type and text of GET /metrics. */
    expose: async () => {
      for (const refresh of refreshes) await refresh();
      return { contentType: registry.contentType, body: await registry.metrics() };
    },
  };
}
