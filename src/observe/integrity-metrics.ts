import type { MetricFactory } from './metric-factory.ts';

/** Metrics of whether bytes are what their digests say. */
export function createIntegrityMetrics({
  counter,
  gauge,
  beforeExposing,
}: Pick<MetricFactory, 'counter' | 'gauge' | 'beforeExposing'>) {
  const verified = counter(
    'spegel_blobs_verified_total',
    'Blobs of this node that were hashed, before they were served, because a peer said that they are wrong, or by the scrub: right or damaged.',
    ['result'],
  );
  const damaged = gauge(
    'spegel_damaged_blobs',
    'Blobs of this node whose bytes are not those of their digests: they are not served. The log names them, and so does spegel doctor.',
  );
  const wrong = counter(
    'spegel_wrong_blobs_total',
    'Blobs that peers gave with wrong bytes, and that containerd refused. These peers are not asked for them again.',
  );
  for (const result of ['right', 'damaged']) verified.inc({ result }, 0);
  let damagedNow: (() => number) | undefined;
  beforeExposing(() => damaged.set(damagedNow?.() ?? 0));
  return {
    /** A blob of this node was hashed. */
    blobVerified: (isRight: boolean): void => verified.inc({ result: isRight ? 'right' : 'damaged' }),
    /** Says how many blobs of this node are damaged. Without it, none are. */
    damagedBlobsFrom(count: () => number): void {
      damagedNow = count;
    },
    /** containerd refused a blob whose bytes peers gave, and they are wrong. */
    wrongBlob: (): void => wrong.inc(),
  };
}
