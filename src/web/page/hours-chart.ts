import { formatSize } from './format-size.ts';
import { h, type MarkupElement } from './markup.ts';
import type { ChartHour } from './traffic-hours.ts';

const HEIGHT = 44;
const STEP = 10;
const BAR = 8;
/** An hour with little traffic is still seen. */
const LEAST = 1.5;

/** A bar for each hour: what was not asked of registries below, what was above. The text says the same for those who do not see it. */
export function hoursChart(hours: readonly ChartHour[]): MarkupElement {
  const most = Math.max(1, ...hours.map(({ savedBytes, upstreamBytes }) => savedBytes + upstreamBytes));
  const width = hours.length * STEP;
  const bars = hours.flatMap((hour, n) => {
    const { savedBytes, upstreamBytes } = hour;
    const scale = (bytes: number) => (bytes === 0 ? 0 : Math.max(LEAST, (bytes / most) * (HEIGHT - 1)));
    const saved = scale(savedBytes);
    const upstream = Math.min(scale(upstreamBytes), HEIGHT - saved);
    const x = n * STEP + 1;
    return [
      h('rect', { class: 'bar-empty', x, y: HEIGHT - 1, width: BAR, height: 1 }),
      saved === 0
        ? undefined
        : h('rect', {
            class: 'bar-saved',
            x,
            y: round(HEIGHT - saved),
            width: BAR,
            height: round(saved),
            rx: 1,
          }),
      upstream === 0
        ? undefined
        : h('rect', {
            class: 'bar-upstream',
            x,
            y: round(HEIGHT - saved - upstream),
            width: BAR,
            height: round(upstream),
            rx: 1,
          }),
      h(
        'rect',
        { class: 'bar-hover', x: n * STEP, y: 0, width: STEP, height: HEIGHT },
        h('title', {}, hourText(hour)),
      ),
    ];
  });
  return h(
    'svg',
    {
      class: 'chart',
      viewBox: `0 0 ${width} ${HEIGHT}`,
      preserveAspectRatio: 'none',
      role: 'img',
      'aria-label': chartText(hours),
    },
    bars,
  );
}

/** The chart in words. */
export function chartText(hours: readonly ChartHour[]): string {
  const busy = hours.filter(({ savedBytes, upstreamBytes }) => savedBytes + upstreamBytes > 0);
  const [first] = busy;
  if (first === undefined) return 'No traffic in the last 24 hours.';
  const most = busy.reduce((best, hour) => (hour.savedBytes > best.savedBytes ? hour : best), first);
  return `Bytes by hour: traffic in ${busy.length} of the last ${hours.length} hours. Most was saved in the hour of ${hourText(most)}.`;
}

function hourText({ startMs, savedBytes, upstreamBytes }: ChartHour): string {
  const time = new Date(startMs).toISOString().slice(11, 16);
  return `${time} UTC: ${formatSize(savedBytes)} saved, ${formatSize(upstreamBytes)} from registries`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
