import type { MetricFactory } from './metric-factory.ts';

/** What the kernel moves, as Transport.kernelFigures() has it. */
interface Figures {
  readonly isOn: boolean;
  readonly movedBytes: number;
}

/** Makes the metrics of the kernel transport. */
export function createKernelMetrics({ counter, gauge, beforeExposing }: MetricFactory) {
  const isOn = gauge(
    'spegel_kernel_transport',
    '1 while layers are moved inside the kernel, by sendfile and splice; 0 while all go through the memory of this process.',
  );
  const bytes = counter(
    'spegel_kernel_moved_bytes_total',
    'Body bytes that the kernel moved to clients, of bodies that have ended. A part of what spegel_served_bytes_total counts.',
  );
  let figuresNow: (() => Figures) | undefined;
  let countedBytes = 0;
  beforeExposing(() => {
    const figures = figuresNow?.();
    isOn.set(figures?.isOn === true ? 1 : 0);
    const movedBytes = figures?.movedBytes ?? 0;
    bytes.inc(movedBytes - countedBytes);
    countedBytes = movedBytes;
  });
  return {
    figuresFrom: (figures: () => Figures): void => {
      figuresNow = figures;
    },
  };
}
