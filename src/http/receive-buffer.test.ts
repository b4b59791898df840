import { describe, expect, test } from 'bun:test';
import { createReceiveBuffer } from './receive-buffer.ts';
import { getSocketOption } from './socket-option.ts';
import { windowClamp, withConnection } from './testing/unread-connection.ts';

const KIB = 1024;
/** SO_RCVBUF; the kernel says twice the payload. */
const payloadBytes = (fd: number): number => getSocketOption(fd, 8) / 2;

describe('createReceiveBuffer()', () => {
  test('grows at once, with what TCP offers', async () => {
    await withConnection((fd) => {
      const buffer = createReceiveBuffer(() => fd);
      expect(buffer.sizeBytes).toBe(0);
      for (const sizeBytes of [64 * KIB, 128 * KIB]) {
        buffer.bound(sizeBytes);
        expect(buffer.sizeBytes).toBe(sizeBytes);
        expect(payloadBytes(fd)).toBe(sizeBytes);
        expect(windowClamp(fd)).toBe(2 * sizeBytes);
      }
    });
  });

  test('offers less at once, and shrinks when all has come that was offered before', async () => {
    await withConnection((fd) => {
      const buffer = createReceiveBuffer(() => fd);
      buffer.bound(128 * KIB);
      buffer.bound(64 * KIB);
      expect(windowClamp(fd)).toBe(128 * KIB);
      buffer.took(255 * KIB);
      expect(buffer.sizeBytes).toBe(128 * KIB);
      expect(payloadBytes(fd)).toBe(128 * KIB);
      buffer.took(KIB);
      expect(buffer.sizeBytes).toBe(64 * KIB);
      expect(payloadBytes(fd)).toBe(64 * KIB);
      buffer.took(1024 * KIB);
      expect(payloadBytes(fd)).toBe(64 * KIB);
    });
  });

  test('does not shrink when it is wanted again', async () => {
    await withConnection((fd) => {
      const buffer = createReceiveBuffer(() => fd);
      buffer.bound(128 * KIB);
      buffer.bound(32 * KIB);
      buffer.bound(128 * KIB);
      expect(windowClamp(fd)).toBe(256 * KIB);
      buffer.took(1024 * KIB);
      expect(buffer.sizeBytes).toBe(128 * KIB);
      expect(payloadBytes(fd)).toBe(128 * KIB);
    });
  });

  test('shrinks to what is wanted last, counted from when it was to become smaller', async () => {
    await withConnection((fd) => {
      const buffer = createReceiveBuffer(() => fd);
      buffer.bound(128 * KIB);
      buffer.bound(32 * KIB);
      buffer.took(200 * KIB);
      buffer.bound(64 * KIB);
      expect(windowClamp(fd)).toBe(128 * KIB);
      buffer.took(56 * KIB);
      expect(payloadBytes(fd)).toBe(64 * KIB);
    });
  });

  test('keeps a stretched buffer until what it offered has come', async () => {
    await withConnection((fd) => {
      const buffer = createReceiveBuffer(() => fd);
      buffer.stretch(512 * KIB);
      expect(buffer.sizeBytes).toBe(512 * KIB);
      const before = payloadBytes(fd);
      expect(before).toBeGreaterThan(450 * KIB);
      buffer.bound(64 * KIB);
      expect(payloadBytes(fd)).toBe(before);
      buffer.stretch(512 * KIB);
      expect(payloadBytes(fd)).toBe(before);
      expect(windowClamp(fd)).toBe(1024 * KIB);
    });
  });

  test.each([
    ['is closed', () => undefined],
    ['has no such descriptor', () => -1],
  ])('does nothing to a connection that %s', (_, descriptor) => {
    const buffer = createReceiveBuffer(descriptor);
    buffer.bound(64 * KIB);
    buffer.stretch(64 * KIB);
    buffer.took(64 * KIB);
    expect(buffer.sizeBytes).toBe(0);
  });
});
