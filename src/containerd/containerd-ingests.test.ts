import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { readSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOf } from '../oci/digest.ts';
import type { Download } from '../store/downloads.ts';
import { createContainerdIngests } from './containerd-ingests.ts';
import { beginTestIngest } from './ingest.fixture.ts';

const BYTES = Buffer.from('the bytes of a layer');
const DIGEST = digestOf(BYTES);
const LAYER = `layer-${DIGEST}`;
const REF = `k8s.io/3/${LAYER}`;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ingests-'));
});
afterEach(() => rm(folder, { recursive: true }));

const create = (known?: string) => {
  const aborted: string[] = [];
  const ingests = createContainerdIngests({
    call: (work) =>
      work({
        async abortIngest(ref) {
          aborted.push(ref);
          return true;
        },
      }),
    downloads: { get: () => (known === undefined ? undefined : ({ path: known } as Download)) },
    path: join(folder, 'ingest'),
    namespace: 'k8s.io',
  });
  return { ingests, aborted };
};
const begin = async (ref = REF, bytes: Uint8Array = BYTES) => {
  const ingest = await beginTestIngest(folder, ref, BYTES.length);
  await ingest.write(bytes);
  return ingest;
};

describe('createContainerdIngests()', () => {
  test('finds what is there of a blob, of its namespace alone', async () => {
    const { ingests } = create();
    expect(await ingests.open(DIGEST)).toBeUndefined();
    await begin(`moby/7/${LAYER}`);
    expect(await ingests.open(DIGEST)).toBeUndefined();
    await begin();
    using found = await ingests.open(DIGEST);
    expect([found?.digest, found?.writtenBytes(), found?.state()]).toEqual([DIGEST, BYTES.length, 'open']);
  });

  test('takes it from where downloads are followed, if it is that of the blob', async () => {
    const ingest = await begin();
    using found = await create(join(ingest.folder, 'data')).ingests.open(DIGEST);
    expect(found?.writtenBytes()).toBe(BYTES.length);
    const other = await begin(`k8s.io/4/layer-${digestOf(Buffer.from('other'))}`);
    expect(await create(join(other.folder, 'data')).ingests.open(DIGEST)).toBeUndefined();
  });

  test('reads what containerd has removed', async () => {
    const ingest = await begin();
    using found = await create().ingests.open(DIGEST);
    await ingest.remove();
    expect(found?.state()).toBe('gone');
    const bytes = Buffer.alloc(BYTES.length);
    readSync(found?.descriptor ?? -1, bytes, 0, bytes.length, 0);
    expect(bytes).toEqual(BYTES);
  });

  test('throws away exactly what was found, under the name that containerd knows', async () => {
    const { ingests, aborted } = create();
    const ingest = await begin();
    using found = await ingests.open(DIGEST);
    expect(found?.writtenBytes()).toBe(BYTES.length);
    await ingest.close();
    expect(found?.state()).toBe('closed');
    expect(await found?.abort()).toBe(true);
    expect(aborted).toEqual([LAYER]);
  });

  test.each(['has grown', 'was begun anew', 'is gone'])('leaves alone what %s since', async (what) => {
    const { ingests, aborted } = create();
    const ingest = await begin();
    using found = await ingests.open(DIGEST);
    found?.writtenBytes();
    if (what === 'has grown') await ingest.write(BYTES);
    else {
      await ingest.remove();
      if (what === 'was begun anew') await begin();
    }
    expect(await found?.abort()).toBe(false);
    expect(aborted).toEqual([]);
  });
});
