import { rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import type { LabNode } from './lab-node.ts';
import { runCommand } from './run-command.ts';

/**
 * Leaves so many bytes of the content's file system, which the node has to have for itself (`contentBytes`). Call the
 * result to have the room back; it may be called more than once.
 */
export async function fillContent(
  { containerd: { contentPath } }: Pick<LabNode, 'containerd'>,
  leftBytes: number,
): Promise<() => void> {
  const path = join(contentPath, 'ballast');
  const { bavail, bsize } = statfsSync(contentPath);
  await runCommand(['fallocate', '-l', String(bavail * bsize - leftBytes), path]);
  return () => rmSync(path, { force: true });
}
