import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BINARY } from './lab/binary.ts';
import { createLab } from './lab/lab.ts';
import { HTTP_REGISTRIES } from './lab/lab-node.ts';
import { MIRROR_PORTS } from './lab/mirror.ts';
import { writeNodeCommands } from './lab/node-commands.ts';
import { readScriptOptions, readWholeNumber, requireRoot } from './lab/script-options.ts';
import { createImage } from './lab/test-image.ts';
import { REGISTRY } from './lab/upstream.ts';

const SCRIPT = 'lab-up';
const USAGE = `Usage: bun scripts/lab-up.ts [NODES]

A lab to try spegel in by hand: a registry with the image ${REGISTRY}/hello:v1, and NODES nodes (3 unless told), each a
network namespace on this machine; each node has a containerd and a mirror. Prints the commands with which to pull and
look, and runs until Ctrl-C, which removes everything again. It touches no containerd that runs here.

Needs root, what scripts/setup installs, and dist/spegel, which scripts/build makes. docs/QUICKSTART.md goes on from here.

Environment
  CONTAINERD_BIN_DIR  folder with the containerd, ctr and shim to use instead of those on the PATH
  SPEGEL_BINARY       the mirror to use instead of dist/spegel`;

const [nodesText = '3'] = readScriptOptions({ script: SCRIPT, usage: USAGE, maxPositionals: 1 }).positionals;
const nodes = readWholeNumber(SCRIPT, 'NODES', nodesText, 1);
requireRoot(SCRIPT, 'it makes network namespaces');
if (!existsSync(BINARY)) {
  console.error(`${SCRIPT}: there is no ${BINARY}: run scripts/build first`);
  process.exit(1);
}
const containerdBinDir = process.env['CONTAINERD_BIN_DIR'];
const lab = await createLab({
  nodes: Array.from({ length: nodes }, (_, n) => ({
    // All nodes have the machine's hostname.
    mirrorEnv: {
      NODE_NAME: `n${n + 1}`,
      CANARY_ENABLED: 'true',
      MIRRORED_REGISTRIES: HTTP_REGISTRIES.join(','),
    },
  })),
  binary: BINARY,
  ...(containerdBinDir === undefined ? {} : { containerdBinDir }),
}).catch((error: unknown) => {
  console.error(
    `${SCRIPT}: the lab did not start: ${error instanceof Error ? error.message : String(error)}`,
  );
  process.exit(1);
});
const image = createImage({ seed: 'hello', layers: [{ sizeBytes: 20e6 }, { sizeBytes: 5e6, files: 100 }] });
await lab.upstream.push(image, 'hello', 'v1');

const folder = join(import.meta.dir, '../dist/lab');
writeNodeCommands(lab.nodes, folder);
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

console.log(`
${lab.nodes.map(({ name, endpoint: { ipv4 } }) => `${name}  ${ipv4}  ${lab.directory}/${name}`).join('\n')}
registry: ${lab.upstream.endpoint.ipv4}, has ${REGISTRY}/hello:v1

A command on node 2, and likewise on the others (logs: mirror/mirror.log and containerd.log in the folders above):
  pull      dist/lab/n2 sh -c 'ctr images pull --hosts-dir $CONTAINERD_REGISTRY_CONFIG_PATH ${REGISTRY}/hello:v1'
  images    dist/lab/n2 ctr images ls
  peers     dist/lab/n2 spegel peers
  holders   dist/lab/n2 spegel peers find ${REGISTRY}/hello:v1
  from whom dist/lab/n2 spegel peers transfers
  why       dist/lab/n2 spegel why ${REGISTRY}/hello:v1
  doctor    dist/lab/n2 spegel doctor --canary
  metrics   dist/lab/n2 curl -s http://127.0.0.1:${MIRROR_PORTS.metrics}/metrics
  page      dist/lab/n2 chromium --headless --no-sandbox --timeout=5000 --window-size=1440,1600 \\
              --screenshot=page.png http://127.0.0.1:${MIRROR_PORTS.metrics}/debug/web/

Ctrl-C removes everything.`);
setInterval(() => {}, 60_000);
