import { describe, expect, test } from 'bun:test';

import { createTokenBucket } from './token-bucket.ts';

/** A bucket, and a clock that a test sets. */
function start(burst: number, perSecond: number) {
  const time = { ms: 1000 };
  return { time, bucket: createTokenBucket(() => time.ms, { burst, perSecond }) };
}

describe('createTokenBucket()', () => {
  test('gives the burst at once, and nothing more', () => {
    const { bucket } = start(3, 2);
    expect([1, 2, 3, 4, 5].map(() => bucket.take())).toEqual([true, true, true, false, false]);
    expect(bucket.has()).toBe(false);
  });

  test('is filled at its rate, in parts of a token too', () => {
    const { bucket, time } = start(1, 2);
    bucket.take();
    time.ms += 300;
    expect(bucket.take()).toBe(false);
    time.ms += 200;
    expect(bucket.has()).toBe(true);
    expect([bucket.take(), bucket.take()]).toEqual([true, false]);
  });

  test('never has more than the burst', () => {
    const { bucket, time } = start(2, 10);
    time.ms += 3_600_000;
    expect([bucket.take(), bucket.take(), bucket.take()]).toEqual([true, true, false]);
  });

  test('pays off what was taken beyond what there was, and says how long that takes', () => {
    const { bucket, time } = start(4, 2);
    expect([bucket.waitMs(), bucket.take(10), bucket.take(), bucket.waitMs()]).toEqual([
      0,
      true,
      false,
      3500,
    ]);
    time.ms += 3499;
    expect(bucket.has()).toBe(false);
    time.ms += 1;
    expect([bucket.has(), bucket.waitMs()]).toEqual([true, 0]);
  });

  test('has() takes nothing', () => {
    const { bucket } = start(1, 0);
    expect([bucket.has(), bucket.has(), bucket.take(), bucket.has()]).toEqual([true, true, true, false]);
  });
});
