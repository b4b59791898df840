import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { HTTP_REGISTRIES, type LabNode } from './lab-node.ts';

/**
 * Writes one executable per node into the folder, which is made anew: `n1 spegel peers` runs a command on node 1, with
 * `spegel` and `ctr` set to what the node has. The caller removes the folder.
 */
export function writeNodeCommands(nodes: readonly LabNode[], folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'bin'), { recursive: true });
  for (const node of nodes) {
    const path = join(folder, node.name);
    writeFileSync(path, commandOf(node, join(folder, 'bin')));
    chmodSync(path, 0o755);
  }
  const [first] = nodes;
  // The binary may have another name.
  if (first !== undefined) symlinkSync(first.mirror.binary, join(folder, 'bin/spegel'));
}

function commandOf({ name, endpoint, containerd }: LabNode, binFolder: string): string {
  const { certsDir, socket } = containerd.paths;
  const environment = {
    // For ctr.
    CONTAINERD_ADDRESS: socket,
    CONTAINERD_NAMESPACE: 'k8s.io',
    // For spegel, each in place of a flag.
    CONTAINERD_SOCK: socket,
    CONTAINERD_CONTENT_PATH: containerd.contentPath,
    CONTAINERD_CONFIG: join(dirname(certsDir), 'config.toml'),
    CONTAINERD_REGISTRY_CONFIG_PATH: certsDir,
    MIRRORED_REGISTRIES: HTTP_REGISTRIES.join(','),
  };
  const exports = Object.entries(environment).map(([key, value]) => `export ${key}=${quote(value)}`);
  return `#!/bin/sh
# Runs a command on node ${name} of the lab.
${exports.join('\n')}
PATH=${quote(binFolder)}:$PATH
exec ${endpoint.namespace.enter.map(quote).join(' ')} "$@"
`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
