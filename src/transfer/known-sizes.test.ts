import { expect, test } from 'bun:test';
import { type Digest, digestOf } from '../oci/digest.ts';
import { CONFIG_BYTES, KNOWN_SIZES_BYTES, SIZES_PER_DIGEST, SMALL_BLOB_BYTES } from './budgets.ts';
import { createKnownSizes } from './known-sizes.ts';

const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
const digest = (index: number): Digest => digestOf(Buffer.from(`blob ${index}`));
const said = (index: number, sizeBytes: number, mediaType = LAYER) => ({
  digest: digest(index),
  sizeBytes,
  mediaType,
});

test('createKnownSizes() believes each of a few sizes, and none of many', () => {
  const sizes = createKnownSizes();
  expect(sizes.sizesOf(digest(1))).toBeUndefined();
  sizes.learn([said(1, 0)]);
  expect(sizes.sizesOf(digest(1))).toBeUndefined();
  for (let size = 1; size <= SIZES_PER_DIGEST; size++) sizes.learn([said(1, size), said(1, size)]);
  expect(sizes.sizesOf(digest(1))).toEqual([1, 2, 3, 4]);
  for (const size of [5, 6]) {
    sizes.learn([said(1, size)]);
    expect(sizes.sizesOf(digest(1))).toBeUndefined();
  }
  sizes.forget(digest(1));
  sizes.learn([said(1, 7)]);
  expect(sizes.sizesOf(digest(1))).toEqual([7]);
});

test('createKnownSizes() forgets the oldest, and takes a bounded number of one manifest', () => {
  const sizes = createKnownSizes();
  sizes.learn(Array.from({ length: 1000 }, (_, index) => said(index, 1)));
  expect(sizes.sizesOf(digest(127))).toEqual([1]);
  expect(sizes.sizesOf(digest(128))).toBeUndefined();
  for (let index = 128; index < KNOWN_SIZES_BYTES / 256 + 1; index++) sizes.learn([said(index, 1)]);
  expect(sizes.sizesOf(digest(0))).toBeUndefined();
  expect(sizes.sizesOf(digest(1))).toEqual([1]);
});

test.each([
  ['application/vnd.oci.image.config.v1+json', CONFIG_BYTES],
  ['application/vnd.docker.container.image.v1+json', CONFIG_BYTES],
  ['application/vnd.cncf.helm.config.v1+json', CONFIG_BYTES],
  [LAYER, SMALL_BLOB_BYTES],
  ['application/vnd.docker.image.rootfs.diff.tar.gzip', SMALL_BLOB_BYTES],
])('createKnownSizes() wants %s whole up to %d bytes', (mediaType, bytes) => {
  const sizes = createKnownSizes();
  sizes.learn([said(1, 10, mediaType)]);
  expect(sizes.wholeBytes(digest(1))).toBe(bytes);
  expect(sizes.wholeBytes(digest(2))).toBe(SMALL_BLOB_BYTES);
});
