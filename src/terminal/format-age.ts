const [SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS] = [1000, 60_000, 3_600_000, 86_400_000];
/** Up to so many hours are told as hours. */
const MAX_HOURS = 48;
/** Below it a time has a decimal: two digits are what people read of a time. */
const DECIMAL_BELOW = 10;

/** How long ago something was, or for how long it lasts, in its largest unit: `12s`, `3m`, `2h`, `5d`. `ms` in ms. */
export function formatAge(ms: number): string {
  const age = Math.max(0, ms);
  if (age < MINUTE_MS) return `${Math.floor(age / SECOND_MS)}s`;
  if (age < HOUR_MS) return `${Math.floor(age / MINUTE_MS)}m`;
  if (age < MAX_HOURS * HOUR_MS) return `${Math.floor(age / HOUR_MS)}h`;
  return `${Math.floor(age / DAY_MS)}d`;
}

/** How long something took, in two digits or two units: `8.3ms`, `230ms`, `1.2s`, `12s`, `3m20s`, `2h5m`. `ms` in ms. */
export function formatSpan(ms: number): string {
  const span = Math.max(0, ms);
  if (span === 0) return '0s';
  if (Math.round(span) < SECOND_MS) return `${decimal(span)}ms`;
  const seconds = Math.round(span / SECOND_MS);
  if (seconds < 60) return `${decimal(span / SECOND_MS)}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return joined(minutes, 'm', seconds % 60, 's');
  return joined(Math.floor(minutes / 60), 'h', minutes % 60, 'm');
}

function decimal(value: number): string {
  return String(value < DECIMAL_BELOW ? Math.round(value * 10) / 10 : Math.round(value));
}

function joined(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return `${large}${largeUnit}${small === 0 ? '' : `${small}${smallUnit}`}`;
}
