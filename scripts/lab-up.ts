/**
 * A lab to play with by hand: `bun scripts/lab-up.ts [nodes]`, 3 unless told. Prints how to reach what, and
 * runs until Ctrl-C.
 */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BINARY } from './lab/binary.ts';
import { createLab } from './lab/lab.ts';
import { MIRROR_PORTS } from './lab/mirror.ts';
import { writeNodeCommands } from './lab/node-commands.ts';
import { createImage } from './lab/test-image.ts';
import { REGISTRY } from './lab/upstream.ts';

const nodes = Number(process.argv[2] ?? 3);
if (!Number.isInteger(nodes) || nodes < 1) {
  console.error('usage: bun scripts/lab-up.ts [nodes]');
  process.exit(2);
}
if (!existsSync(BINARY)) {
  console.error(`There is no ${BINARY}: run scripts/build first`);
  process.exit(1);
}
const containerdBinDir = process.env['CONTAINERD_BIN_DIR'];
const lab = await createLab({
  nodes,
  binary: BINARY,
  ...(containerdBinDir === undefined ? {} : { containerdBinDir }),
});
const image = createImage({ seed: 'hello', layers: [{ sizeBytes: 20e6 }, { sizeBytes: 5e6, files: 100 }] });
await lab.upstream.push(image, 'hello', 'v1');

const folder = join(import.meta.dir, '../dist/lab');
writeNodeCommands(lab.nodes, folder);
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

console.log(`
${lab.nodes.map(({ name, endpoint: { ipv4 } }) => `${name}  ${ipv4}  ${lab.directory}/${name}`).join('\n')}
upstream: ${lab.upstream.endpoint.ipv4}, has ${REGISTRY}/hello:v1

A command on node 2, and likewise on the others (logs are in mirror/mirror.log and containerd.log of the folders above):
  pull      dist/lab/n2 sh -c 'ctr images pull --hosts-dir $CONTAINERD_REGISTRY_CONFIG_PATH ${REGISTRY}/hello:v1'
  images    dist/lab/n2 ctr images ls
  peers     dist/lab/n2 spegel peers
  who       dist/lab/n2 spegel peers find ${REGISTRY}/hello:v1
  from whom dist/lab/n2 curl -s http://127.0.0.1:${MIRROR_PORTS.metrics}/debug/transfers
  metrics   dist/lab/n2 curl -s http://127.0.0.1:${MIRROR_PORTS.metrics}/metrics

Ctrl-C removes everything.`);
setInterval(() => {}, 60_000);
