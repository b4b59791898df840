import { appendFile, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, digestOf, splitDigest } from '../oci/digest.ts';

/** An ingest as containerd 1.6 and 2.3 write it, file by file. For tests. */
export interface TestIngest {
  readonly id: string;
  readonly folder: string;
  /** A write of its writer. */
  write(bytes: Uint8Array): Promise<void>;
  /** Its writer is closed without a commit, as when a pull is cancelled. */
  close(): Promise<void>;
  /** Its bytes become the blob, and it is removed. */
  commit(digest: Digest): Promise<void>;
  /** It is collected. */
  remove(): Promise<void>;
}

/** Opens a writer in a content directory; `total` 0: the size is not known. */
export async function beginTestIngest(contentPath: string, ref: string, total: number): Promise<TestIngest> {
  const { hex: id } = splitDigest(digestOf(new TextEncoder().encode(ref)));
  const folder = join(contentPath, 'ingest', id);
  const data = join(folder, 'data');

  async function writeTime(name: string): Promise<void> {
    await writeFile(join(folder, `${name}.tmp`), new Date().toISOString());
    await rename(join(folder, `${name}.tmp`), join(folder, name));
  }

  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'ref'), ref);
  await writeTime('startedat');
  await writeTime('updatedat');
  if (total > 0) await writeFile(join(folder, 'total'), String(total));
  await writeFile(data, '');
  return {
    id,
    folder,
    write: (bytes) => appendFile(data, bytes),
    close: () => writeTime('updatedat'),
    async commit(digest) {
      const { algorithm, hex } = splitDigest(digest);
      await mkdir(join(contentPath, 'blobs', algorithm), { recursive: true });
      await rename(data, join(contentPath, 'blobs', algorithm, hex));
      await rm(folder, { recursive: true });
    },
    remove: () => rm(folder, { recursive: true }),
  };
}
