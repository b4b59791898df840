/** True for two spellings of one URL of the mirror. */
export function isSameTarget(left: string, right: string): boolean {
  return plain(left) === plain(right);
}

function plain(url: string): string {
  return url.replace(/\/+$/, '').toLowerCase();
}
