/**
 * A lab to play with by hand: `bun scripts/lab-up.ts [nodes]`, 3 unless told. Prints how to reach what, and
 * runs until Ctrl-C.
 */
import { BINARY } from './lab/binary.ts';
import { createLab } from './lab/lab.ts';
import { MIRROR_PORTS } from './lab/mirror.ts';
import { createImage } from './lab/test-image.ts';
import { REGISTRY } from './lab/upstream.ts';

const nodes = Number(process.argv[2] ?? 3);
if (!Number.isInteger(nodes) || nodes < 1) {
  console.error('usage: bun scripts/lab-up.ts [nodes]');
  process.exit(2);
}
const containerdBinDir = process.env['CONTAINERD_BIN_DIR'];
const lab = await createLab({
  nodes,
  binary: BINARY,
  ...(containerdBinDir === undefined ? {} : { containerdBinDir }),
});
const image = createImage({ seed: 'hello', layers: [{ sizeBytes: 20e6 }, { sizeBytes: 5e6, files: 100 }] });
await lab.upstream.push(image, 'hello', 'v1');

const { containerd, endpoint, mirror } = lab.node(1);
const enter = endpoint.namespace.enter.join(' ');
const ctr = `${enter} ctr --address ${containerd.paths.socket} -n k8s.io`;
console.log(`
${lab.nodes.map(({ name, endpoint: { ipv4 } }) => `${name}  ${ipv4}  ${lab.directory}/${name}`).join('\n')}
upstream: ${lab.upstream.endpoint.ipv4}, has ${REGISTRY}/hello:v1

On node 1, and likewise on the others (logs are in mirror/mirror.log and containerd.log of the folders above):
  pull     ${ctr} images pull --hosts-dir ${containerd.paths.certsDir} ${REGISTRY}/hello:v1
  images   ${ctr} images ls
  peers    ${enter} ${mirror.binary} peers
  who      ${enter} ${mirror.binary} peers find ${REGISTRY}/hello:v1
  metrics  ${enter} curl -s http://127.0.0.1:${MIRROR_PORTS.metrics}/metrics
  kill     kill -9 ${mirror.pid}

Ctrl-C removes everything.`);
setInterval(() => {}, 60_000);
