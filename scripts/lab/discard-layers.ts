import { appendFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { LabNode } from './lab-node.ts';

/** Has a node's containerd discard layers once they are unpacked, so that its mirror cannot serve them, and restarts it. */
export async function discardLayers({ containerd }: LabNode): Promise<void> {
  const isOld = containerd.version.startsWith('1.');
  const plugin = isOld ? 'io.containerd.grpc.v1.cri".containerd' : 'io.containerd.cri.v1.images"';
  const file = join(dirname(containerd.paths.certsDir), 'config.toml');
  await appendFile(file, `[plugins."${plugin}]\ndiscard_unpacked_layers = true\n`);
  await containerd.restart();
}
