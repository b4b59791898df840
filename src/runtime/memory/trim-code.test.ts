import { expect, test } from 'bun:test';

import { createCodeTrim } from './trim-code.ts';

const MIB = 1024 * 1024;

test('createCodeTrim() unloads when 8 MiB more are mapped than the last time left, or were mapped since', async () => {
  let leftMib = 5;
  const trim = createCodeTrim({ unload: () => {}, readFileBytes: async () => leftMib * MIB });
  const done = async (mib: number) => trim(mib * MIB);
  expect([await done(7), await done(8), await done(12), await done(13)]).toEqual([false, true, false, true]);
  // Less than the last time left: from there on it counts.
  leftMib = 20;
  expect([await done(13), await done(27), await done(10), await done(18)]).toEqual([
    true,
    false,
    false,
    true,
  ]);
});
