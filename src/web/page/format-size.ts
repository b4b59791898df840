import { formatByteCount } from '../../runtime/byte-count.ts';

/** A number of bytes with its unit, such as `12.3 MB`; a line does not break between the two. */
export function formatSize(bytes: number): string {
  return formatByteCount(bytes).replaceAll(' ', '\u00A0');
}

/** The same of bytes per second, such as `12.3 MB/s`. */
export function formatRate(bytesPerSecond: number): string {
  return `${formatSize(bytesPerSecond)}/s`;
}
