import { afterAll, describe, expect, test } from 'bun:test';
import {
  closeSync,
  fstatSync,
  lstatSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOf } from '../oci/digest.ts';
import { fileStamp } from '../runtime/file-stamp.ts';
import { createFileHasher } from './file-hasher.ts';

const folder = mkdtempSync(join(tmpdir(), 'hasher-'));
const hasher = createFileHasher();
afterAll(() => {
  hasher.close();
  rmSync(folder, { recursive: true });
});

/** Larger than what is read at once, and not a multiple of it. */
const bytes = Buffer.alloc(700_001, 'spegel');
const digest = digestOf(bytes);
const put = (name: string, content: Uint8Array) => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

describe('createFileHasher()', () => {
  test('tells right bytes, and the state of the file that it read', async () => {
    const path = put('right', bytes);
    expect(await hasher.check({ file: path, digest })).toEqual({
      isRight: true,
      stamp: fileStamp(lstatSync(path)),
    });
  });

  test('hashes what is open, also when its name is gone, and leaves it open', async () => {
    const path = put('open', bytes);
    const file = openSync(path, 'r');
    rmSync(path);
    expect(await hasher.check({ file, digest })).toMatchObject({ isRight: true });
    expect(fstatSync(file).size).toBe(bytes.length);
    closeSync(file);
  });

  test('tells a single flipped bit, anywhere', async () => {
    for (const at of [0, 262_143, 262_144, 700_000]) {
      const wrong = Buffer.from(bytes);
      wrong[at] = (wrong[at] ?? 0) ^ 1;
      const path = put(`wrong-${at}`, wrong);
      expect(await hasher.check({ file: path, digest })).toMatchObject({ isRight: false });
    }
  });

  test('hashes the first bytes alone where those are asked for', async () => {
    const path = put('longer', Buffer.concat([bytes, Buffer.from('more')]));
    expect(await hasher.check({ file: path, digest, sizeBytes: bytes.length })).toMatchObject({
      isRight: true,
    });
    expect(await hasher.check({ file: path, digest })).toMatchObject({ isRight: false });
  });

  test('hashes with sha512, too, and an empty file', async () => {
    const hex = new Bun.CryptoHasher('sha512').update(bytes).digest('hex');
    const path = put('sha512', bytes);
    expect(await hasher.check({ file: path, digest: `sha512:${hex}` as typeof digest })).toMatchObject({
      isRight: true,
    });
    const empty = put('empty', Buffer.alloc(0));
    expect(await hasher.check({ file: empty, digest: digestOf(Buffer.alloc(0)) })).toMatchObject({
      isRight: true,
    });
  });

  test('has no verdict on what cannot be read', async () => {
    symlinkSync(put('target', bytes), join(folder, 'link'));
    for (const name of ['absent', 'link', '.']) {
      expect(await hasher.check({ file: join(folder, name), digest })).toBeUndefined();
    }
  });

  test('hashes slowly beside what is hashed at full speed', async () => {
    const path = put('slow', bytes);
    const order: string[] = [];
    const slow = hasher.checkSlowly({ file: path, digest }, 600_000).then((verdict) => {
      order.push('slow');
      return verdict;
    });
    await hasher.check({ file: path, digest });
    order.push('fast');
    expect(await slow).toMatchObject({ isRight: true });
    expect(order).toEqual(['fast', 'slow']);
  });

  test('has no verdict after its end', async () => {
    const closed = createFileHasher();
    const path = put('closed', bytes);
    const running = closed.checkSlowly({ file: path, digest }, 1000);
    closed.close();
    expect(await running).toBeUndefined();
    expect(await closed.check({ file: path, digest })).toBeUndefined();
  });
});
