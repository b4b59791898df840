const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;
/** Bytes per unit, in lower case. */
const UNIT_BYTES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/**
 * Parses a number of bytes with its unit, such as `500kB`, `1.5GB` or `64MiB`, in any case; `0` needs no unit. Throws a
 * RangeError that quotes anything else.
 */
export function parseByteCount(text: string): number {
  if (text === '0') return 0;
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)([a-z]+)$/i.exec(text) ?? [];
  const bytes = Math.round(Number(number) * (UNIT_BYTES[unit.toLowerCase()] ?? Number.NaN));
  if (!Number.isSafeInteger(bytes)) {
    throw new RangeError(
      `${JSON.stringify(text)} is not a number of bytes with its unit, such as 500kB, 100MB or 1GiB`,
    );
  }
  return bytes;
}

/** Writes a number of bytes with three digits: `0 B`, `512 B`, `1.5 kB`, `12.3 MB`. */
export function formatByteCount(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${Number(value.toPrecision(3))} ${UNITS[unit] ?? ''}`;
}
