/** Now, in ms since 1970 with fractions: the processes of one machine agree on it. */
export function epochMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Resolves at that time, at once if it is past. */
export async function untilEpochMs(atMs: number): Promise<void> {
  const waitMs = atMs - epochMs();
  if (waitMs > 0) await Bun.sleep(waitMs);
}
