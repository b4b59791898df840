import { closeSync, openSync, readSync, statSync, utimesSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, splitDigest } from '../../src/oci/digest.ts';
import type { LabNode } from './lab-node.ts';

/** Flips a bit in the middle of a blob of the node, in place, and puts the times of its file back. */
export function damageBlob({ containerd }: Pick<LabNode, 'containerd'>, digest: Digest): void {
  const { algorithm, hex } = splitDigest(digest);
  const path = join(containerd.contentPath, 'blobs', algorithm, hex);
  const { size, atime, mtime } = statSync(path);
  const file = openSync(path, 'r+');
  const byte = new Uint8Array(1);
  const at = Math.floor(size / 2);
  readSync(file, byte, 0, 1, at);
  byte[0] = (byte[0] ?? 0) ^ 1;
  writeSync(file, byte, 0, 1, at);
  closeSync(file);
  utimesSync(path, atime, mtime);
}
