import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Digest, digestOf, InvalidDigestError, splitDigest } from '../oci/digest.ts';
import { createContentFiles } from './content-files.ts';

const BYTES = new TextEncoder().encode('content');
const DIGEST = digestOf(BYTES);

describe('createContentFiles()', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'spegel-content-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function withBlob() {
    await mkdir(join(folder, 'blobs', 'sha256'), { recursive: true });
    await writeFile(join(folder, 'blobs', 'sha256', splitDigest(DIGEST).hex), BYTES);
    return createContentFiles(folder);
  }

  test('path() refuses what is no digest', () => {
    const files = createContentFiles(folder);
    for (const text of ['sha256:../../../etc/passwd', '../x:y', `sha1:${'a'.repeat(40)}`, '']) {
      expect(() => files.path(text as Digest)).toThrow(InvalidDigestError);
    }
  });

  test('everything is absent while there is no folder', async () => {
    const files = createContentFiles(join(folder, 'none'));
    expect(await files.state(DIGEST)).toBeUndefined();
    expect(await files.read(DIGEST, 7)).toBeUndefined();
    expect([...(await files.list())]).toEqual([]);
  });

  test('state() tells of regular files only', async () => {
    const files = await withBlob();
    expect(await files.state(DIGEST)).toMatchObject({ sizeBytes: BYTES.byteLength });
    expect(files.stateNow(DIGEST)).toEqual(await files.state(DIGEST));
    const [link, directory] = [digestOf(new Uint8Array([1])), digestOf(new Uint8Array([2]))];
    await symlink(files.path(DIGEST), files.path(link));
    await mkdir(files.path(directory));
    expect(await files.state(link)).toBeUndefined();
    expect(await files.state(directory)).toBeUndefined();
  });

  test('read() gives the bytes only if there are as many as expected', async () => {
    const files = await withBlob();
    expect(Buffer.from((await files.read(DIGEST, 7)) ?? []).equals(BYTES)).toBe(true);
    expect(await files.read(DIGEST, 6)).toBeUndefined();
    expect(await files.read(DIGEST, 8)).toBeUndefined();
    const empty = digestOf(new Uint8Array());
    await writeFile(files.path(empty), '');
    expect(await files.read(empty, 0)).toHaveLength(0);
  });

  test('list() skips files that no digest names', async () => {
    const files = await withBlob();
    await writeFile(join(files.folder('sha256'), 'README'), '');
    expect([...(await files.list())]).toEqual([DIGEST]);
  });
});
