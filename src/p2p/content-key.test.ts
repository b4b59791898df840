import { expect, test } from 'bun:test';

import { contentCid } from './content-key.ts';

test('contentCid() is CIDv1 raw of the sha2-256 of the UTF-8 bytes', () => {
  // printf '%s' 'registry.lab:5000/app:v1' | sha256sum
  const hash = new Bun.CryptoHasher('sha256').update('registry.lab:5000/app:v1').digest('hex');
  const cid = contentCid('registry.lab:5000/app:v1');
  expect(Buffer.from(cid.bytes).toString('hex')).toBe(`01551220${hash}`);
});
