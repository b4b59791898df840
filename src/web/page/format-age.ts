const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Between a number and its unit: a line does not break there. */
const NBSP = '\u00A0';

/** How long something is, in one unit: `20 ms`, `1.5 s`, `42 s`, `3 min`, `2 h`, `4 d`. Below zero is zero. */
export function formatAge(ms: number): string {
  const age = Math.max(0, ms);
  if (age < SECOND_MS) return `${Math.round(age)}${NBSP}ms`;
  if (age < 10 * SECOND_MS) return `${(age / SECOND_MS).toFixed(1)}${NBSP}s`;
  return formatSpan(age);
}

/** The same in whole seconds, for what goes on while it is looked at: `0 s`, `12 s`, `3 min`. */
export function formatSpan(ms: number): string {
  const age = Math.max(0, ms);
  if (age < MINUTE_MS) return `${Math.floor(age / SECOND_MS)}${NBSP}s`;
  if (age < HOUR_MS) return `${Math.floor(age / MINUTE_MS)}${NBSP}min`;
  if (age < 2 * DAY_MS) return `${Math.floor(age / HOUR_MS)}${NBSP}h`;
  return `${Math.floor(age / DAY_MS)}${NBSP}d`;
}
