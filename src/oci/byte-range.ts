/** A range of bytes, both ends included, as HTTP counts them (RFC 9110, 14.1.2). */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** What a Range header asks for before the size is known: `a-b`, `a-` or `-n`. */
export type RangeSpec = { readonly start: number; readonly end?: number } | { readonly suffixLength: number };

/**
 * Parses a Range header. Absent, malformed, of another unit, or with several ranges: undefined,
 * which means the whole body (RFC 9110, 14.2: a server may ignore Range, and must when it is invalid).
 */
export function parseRange(header: string | undefined): RangeSpec | undefined {
  const match = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(header ?? '');
  if (match === null) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return undefined;
  // Positions may have any number of digits. Beyond what a number holds exactly all mean the same: past the end of any body.
  if (first === '') return { suffixLength: clamped(last) };
  if (last === '') return { start: clamped(first) };
  return BigInt(last) < BigInt(first) ? undefined : { start: clamped(first), end: clamped(last) };
}

/** The number of the digits, or the largest one that is exact. */
function clamped(digits: string): number {
  return Math.min(Number(digits), Number.MAX_SAFE_INTEGER);
}

/** The bytes that the spec means in a body of this size, or undefined if it is unsatisfiable (416). */
export function resolveRange(spec: RangeSpec, sizeBytes: number): ByteRange | undefined {
  if ('suffixLength' in spec) {
    if (spec.suffixLength === 0 || sizeBytes === 0) return undefined;
    return { start: Math.max(0, sizeBytes - spec.suffixLength), end: sizeBytes - 1 };
  }
  if (spec.start >= sizeBytes) return undefined;
  return { start: spec.start, end: Math.min(spec.end ?? sizeBytes - 1, sizeBytes - 1) };
}

/** The Range header that asks for the spec. */
export function formatRange(spec: RangeSpec): string {
  return 'suffixLength' in spec ? `bytes=-${spec.suffixLength}` : `bytes=${spec.start}-${spec.end ?? ''}`;
}

/** The Content-Range header of a 206 (RFC 9110, 14.4). */
export function formatContentRange(range: ByteRange, sizeBytes: number): string {
  return `bytes ${range.start}-${range.end}/${sizeBytes}`;
}

/** Parses `bytes a-b/size`; undefined if it is anything else, or contradicts itself. */
export function parseContentRange(
  header: string | undefined,
): (ByteRange & { sizeBytes: number }) | undefined {
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/i.exec(header ?? '');
  if (match === null) return undefined;
  const [start, end, sizeBytes] = match.slice(1).map(Number) as [number, number, number];
  if (![start, end, sizeBytes].every(Number.isSafeInteger) || end < start || end >= sizeBytes) {
    return undefined;
  }
  return { start, end, sizeBytes };
}

/** Number of bytes in the range. */
export function rangeLength(range: ByteRange): number {
  return range.end - range.start + 1;
}

/** The Content-Range header of a 416: only the size. */
export function formatUnsatisfiedRange(sizeBytes: number): string {
  return `bytes */${sizeBytes}`;
}

/** The size that a 416 tells in `bytes *\/size`; undefined if it does not. */
export function parseUnsatisfiedRange(header: string | undefined): number | undefined {
  const match = /^bytes \*\/(\d+)$/i.exec(header ?? '');
  const sizeBytes = Number(match?.[1]);
  return Number.isSafeInteger(sizeBytes) ? sizeBytes : undefined;
}
