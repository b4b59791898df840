import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Containerd } from './containerd.ts';
import { HOST_PLATFORM, type TestBlob, type TestImage } from './test-image.ts';

/** Where containerd keeps a blob. */
export function blobPath({ contentPath }: Containerd, digest: string): string {
  return join(contentPath, 'blobs', digest.replace(':', '/'));
}

/**
 * Checks that a node has every blob of an image for the platform: known to containerd's metadata,
 * on disk, of the right size and with the right digest. Throws with everything that is wrong.
 */
export async function verifyImage(
  containerd: Containerd,
  image: TestImage,
  platform = HOST_PLATFORM,
): Promise<void> {
  const known = new Set((await containerd.ctr(['content', 'ls', '-q'])).split('\n'));
  const faults: string[] = [];
  for (const blob of image.blobsFor(platform)) {
    const fault = known.has(blob.digest)
      ? await checkFile(blobPath(containerd, blob.digest), blob)
      : 'is not in containerd’s metadata';
    if (fault !== undefined) faults.push(`${blob.kind} ${blob.digest} ${fault}`);
  }
  if (faults.length > 0) throw new Error(`The image ${image.root.digest} is damaged:\n${faults.join('\n')}`);
}

async function checkFile(path: string, { digest, sizeBytes }: TestBlob): Promise<string | undefined> {
  const size = await stat(path).then(
    (stats) => stats.size,
    () => undefined,
  );
  if (size === undefined) return 'is not on disk';
  if (size !== sizeBytes) return `has ${size} bytes instead of ${sizeBytes}`;
  const hasher = new Bun.CryptoHasher('sha256');
  for await (const chunk of Bun.file(path).stream()) hasher.update(chunk);
  const found = `sha256:${hasher.digest('hex')}`;
  return found === digest ? undefined : `has the digest ${found}`;
}
