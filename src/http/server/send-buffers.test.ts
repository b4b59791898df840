import { expect, test } from 'bun:test';
import { createSendBuffers } from './send-buffers.ts';

const KIB = 1024;

/** The sizes of so many bodies that begin one after the other, in KiB. */
function sizesOf(bodies: number, kernelShare?: number) {
  const buffers = createSendBuffers(kernelShare);
  return Array.from({ length: bodies }, () => [buffers.begin() / KIB, buffers.forKernel() / KIB]);
}

test('createSendBuffers() gives the next bodies smaller buffers, and the first larger ones while the kernel moves them', () => {
  const sizes = sizesOf(97);
  expect([sizes[0], sizes[1], sizes[2], sizes[7], sizes[8]]).toEqual([
    [128, 1024],
    [128, 1024],
    [128, 256],
    [128, 256],
    [128, 128],
  ]);
  expect([sizes[15], sizes[16], sizes[95], sizes[96]]).toEqual([
    [128, 128],
    [32, 32],
    [32, 32],
    [8, 8],
  ]);
});

test('createSendBuffers() gives fewer of the larger buffers where there is half of the memory', () => {
  expect(sizesOf(5, 0.5).map(([, kernel]) => kernel)).toEqual([1024, 256, 256, 256, 128]);
});

test('createSendBuffers() gives the larger buffers again when bodies have ended', () => {
  const buffers = createSendBuffers();
  for (let i = 0; i < 9; i++) buffers.begin();
  expect(buffers.forKernel()).toBe(128 * KIB);
  for (let i = 0; i < 8; i++) buffers.end();
  expect(buffers.forKernel()).toBe(1024 * KIB);
});
