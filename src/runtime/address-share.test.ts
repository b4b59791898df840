import { describe, expect, test } from 'bun:test';
import { addressShare } from './address-share.ts';

describe('addressShare()', () => {
  test.each([
    ['10.0.0.1', '10.0.0.1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['0:0:0:0:0:ffff:a00:1', '10.0.0.1'],
    ['fd00:0:0:1::1', 'fd00000000000001::/64'],
    ['fd00:0:0:1:ffff::9', 'fd00000000000001::/64'],
    ['fd00:0:0:2::1', 'fd00000000000002::/64'],
    ['', ''],
    ['not:an:address', 'not:an:address'],
  ])('addressShare() of %p is %p', (address, share) => {
    expect(addressShare(address)).toBe(share);
  });
});
