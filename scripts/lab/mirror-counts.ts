import type { Mirror } from './mirror.ts';

/** What a mirror passed on to peers, over all registries. */
export interface MirrorCounts {
  readonly hits: number;
  readonly misses: number;
}

/** Starts counting spegel_mirror_requests_total: call the result for what was added since. */
export async function countMirrorRequests(mirror: Mirror): Promise<() => Promise<MirrorCounts>> {
  const read = async (): Promise<MirrorCounts> => {
    const metrics = await mirror.metrics();
    const sum = (cache: string) => metrics.sum('spegel_mirror_requests_total', { cache });
    return { hits: sum('hit'), misses: sum('miss') };
  };
  const before = await read();
  return async () => {
    const { hits, misses } = await read();
    return { hits: hits - before.hits, misses: misses - before.misses };
  };
}
