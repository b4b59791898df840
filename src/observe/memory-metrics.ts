import type { MetricFactory } from './metric-factory.ts';

/** The memory of this process at this moment, in bytes; undefined is what cannot be told. */
interface Figures {
  readonly usedBytes: number | undefined;
  /** Undefined where there is no limit, too. */
  readonly limitBytes: number | undefined;
}

/** Makes the metrics of memory. What is not known has no value, so that no 0 is taken for a measurement. */
export function createMemoryMetrics({
  gauge,
  beforeExposing,
}: Pick<MetricFactory, 'gauge' | 'beforeExposing'>) {
  const used = gauge(
    'spegel_memory_used_bytes',
    "Memory that the kernel cannot take back from this process, with the buffers of its sockets; what is close to the limit is this. Page cache and the program's code are not in it. Where the control group cannot be seen, the buffers are estimated.",
  );
  const limit = gauge(
    'spegel_memory_limit_bytes',
    'The memory limit of the control group, or the least of those around it. No value where there is none.',
  );
  let figuresNow: (() => Figures) | undefined;
  beforeExposing(() => {
    const figures = figuresNow?.();
    for (const [metric, bytes] of [
      [used, figures?.usedBytes],
      [limit, figures?.limitBytes],
    ] as const) {
      if (bytes === undefined) metric.remove();
      else metric.set(bytes);
    }
  });
  return {
    /** Says what memory the process has. Without it, nothing is known. */
    memoryFrom(figures: () => Figures): void {
      figuresNow = figures;
    },
  };
}
