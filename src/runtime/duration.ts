/** Thrown by parseDuration; the message quotes the text. */
export class InvalidDurationError extends Error {
  override readonly name = 'InvalidDurationError';
  readonly code = 'INVALID_DURATION';
}

/** Milliseconds per unit, by the names that Go's time.ParseDuration knows (`µ` is U+00B5, `μ` U+03BC). */
const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const PART = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;

/**
 * Parses a duration as Go writes it (`20ms`, `1m30s`, `1.5h`, `-1s`, `0`) to milliseconds, or throws InvalidDurationError.
 * A number without a unit is an error, except 0.
 */
export function parseDuration(text: string): number {
  const sign = text.startsWith('-') ? -1 : 1;
  const start = /^[+-]/.test(text) ? 1 : 0;
  if (text.slice(start) === '0') return 0;
  let ms = 0;
  PART.lastIndex = start;
  do {
    const match = PART.exec(text);
    if (match === null) {
      throw new InvalidDurationError(
        `Cannot parse duration ${JSON.stringify(text)}: write a number with a unit, such as 20ms, 2s or 1m30s`,
      );
    }
    ms += Number(match[1]) * (UNIT_MS[match[2] ?? ''] ?? Number.NaN);
  } while (PART.lastIndex < text.length);
  return sign * ms;
}

/** Writes milliseconds the short way that Go does: `20ms`, `1.5s`, `1m30s`, `0s`. */
export function formatDuration(ms: number): string {
  const sign = ms < 0 ? '-' : '';
  const total = Math.abs(ms);
  if (total === 0) return '0s';
  if (total < 1e-3) return `${sign}${Math.round(total * 1e6)}ns`;
  if (total < 1) return `${sign}${decimal(total * 1e3)}µs`;
  if (total < 1000) return `${sign}${decimal(total)}ms`;
  const hours = Math.floor(total / 3_600_000);
  const minutes = Math.floor((total % 3_600_000) / 60_000);
  const seconds = decimal((total % 60_000) / 1000);
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${sign}${minutes}m${seconds}s` : `${sign}${seconds}s`;
}

/** Up to nanoseconds, without the noise of binary fractions. */
function decimal(value: number): string {
  return String(Number(value.toFixed(6)));
}
