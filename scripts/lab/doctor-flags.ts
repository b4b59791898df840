import { dirname, join } from 'node:path';
import type { Containerd } from './containerd.ts';

/** The flags by which `spegel doctor` finds what a node's containerd has. */
export function doctorFlags({
  paths,
  contentPath,
}: Pick<Containerd, 'paths' | 'contentPath'>): readonly string[] {
  return [
    '--containerd-config',
    join(dirname(paths.certsDir), 'config.toml'),
    '--containerd-sock',
    paths.socket,
    '--containerd-content-path',
    contentPath,
    '--containerd-registry-config-path',
    paths.certsDir,
  ];
}
