import type { MetricFactory } from './metric-factory.ts';
import type { HistogramSeries } from './series-histogram.ts';

/** From a HEAD answered locally to a layer of many GB on a slow link, in seconds. */
const DURATION_BUCKETS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
];
/** From an empty body to a layer of 10 GB, in bytes. */
const SIZE_BUCKETS = [100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10];

/** What one HTTP request to the registry was, for its metrics. */
export interface HttpRequestSample {
  readonly handler: string;
  readonly method: string;
  readonly code: number;
  readonly durationMs: number;
  readonly sizeBytes: number;
}

/** The series of requests that are alike. */
interface RequestSeries {
  readonly duration: HistogramSeries;
  readonly size: HistogramSeries;
}

/** Creates the metrics of the registry's requests. */
export function createHttpMetrics({ gauge, seriesHistogram, beforeExposing }: MetricFactory) {
  const labels = ['handler', 'method', 'code'];
  const durations = seriesHistogram(
    'http_request_duration_seconds',
    'Duration of requests to the registry; handler registry is content of this node, mirror of another one.',
    labels,
    DURATION_BUCKETS,
  );
  const sizes = seriesHistogram(
    'http_response_size_bytes',
    'Body size of answers of the registry.',
    labels,
    SIZE_BUCKETS,
  );
  const inflight = gauge('http_requests_inflight', 'Requests being answered by the registry.', ['handler']);
  const runningBy = new Map<string, number>();
  const seriesBy = new Map<string, Map<string, Map<number, RequestSeries>>>();
  let running = 0;
  beforeExposing(() => {
    for (const [handler, count] of runningBy) inflight.set({ handler }, count);
  });

  const add = (handler: string, change: 1 | -1) => {
    running += change;
    runningBy.set(handler, (runningBy.get(handler) ?? 0) + change);
  };
  const seriesOf = ({ handler, method, code }: HttpRequestSample): RequestSeries => {
    let byMethod = seriesBy.get(handler);
    if (byMethod === undefined) seriesBy.set(handler, (byMethod = new Map()));
    let byCode = byMethod.get(method);
    if (byCode === undefined) byMethod.set(method, (byCode = new Map()));
    let series = byCode.get(code);
    if (series === undefined) {
      const values = [handler, method, String(code)];
      series = { duration: durations.createSeries(...values), size: sizes.createSeries(...values) };
      byCode.set(code, series);
    }
    return series;
  };

  return {
    httpStarted: (handler: string): void => add(handler, 1),
    /** True while the registry answers a request. */
    isServing: () => running > 0,
    httpEnded(route: string, sample: HttpRequestSample): void {
      add(route, -1);
      const { duration, size } = seriesOf(sample);
      duration.observe(sample.durationMs / 1000);
      size.observe(sample.sizeBytes);
    },
  };
}
