import { join } from 'node:path';
import { BINARY } from '../lab/binary.ts';
import { hasParallelRanges, parseContainerdVersion } from '../lab/containerd-config.ts';
import { runCommand } from '../lab/run-command.ts';
import {
  readChoices,
  readPositiveNumber,
  readScriptOptions,
  readWholeNumber,
  refuseArguments,
  requireRoot,
} from '../lab/script-options.ts';
import { NO_MIRROR } from '../lab/lab-node.ts';
import { CONTENTS } from './cold/cold-images.ts';
import { FAULTS } from './cold/faults.ts';
import { formatCold } from './cold/format-cold.ts';
import { type ColdResult, runCold } from './cold/run-cold.ts';

const SCRIPT = 'bench';
const MB = 1e6;
const FETCH_BUFFER_BYTES = 4 * 1024 * 1024;
const USAGE = `Many nodes want the same image at the same moment, through real containerds, with shaped links.
Ideal is the time that one copy takes over upstream's link, or over a node's where that is slower.
Figures are comparable within one run only, and where the machine is less than 85 % busy.

  scripts/bench/run --scenario cold [--nodes 3] [--upstream-mbit 200] [--link-mbit 1000] [--layers 4] [--size-mb 100]
                    [--images 1] [--content random] [--apart-seconds 0] [--holders 0] [--private] [--parallel-ranges]
                    [--fault FAULTS] [--fault-at-share 0.3] [--restart-after-seconds SECONDS]
                    [--rounds 3] [--with on,off,none] [--binary BINARY] [--containerd-bin-dir FOLDER] [--json]

  --link-mbit        each node's link, both ways
  --images           images that each node wants at once, with the lower half of their layers in common; half of the
                     nodes begin with one of two
  --content          random: one file a layer; realistic: gzip and many small files, also pulled by one node alone
  --apart-seconds    pause between the starts of two nodes
  --holders          nodes that have the image already, beside those that pull; upstream is gone then
  --private          upstream asks for credentials; every second node, and the first that asks, has none and tries again
  --parallel-ranges  containerd gets layers in Range requests of 4 MiB, several at once; needs containerd 2.1
  --with             on: with flights; off: without; none: without a mirror; default on,none, with a fault on

  --fault            what happens to a node in the middle, each in a lab of its own:
    kill             SIGKILL of the mirror that downloads from upstream, the root; its containerd goes on
    restart          SIGTERM of that mirror, which starts again
    stop             SIGSTOP of that mirror
    cancel           that node's pull is cancelled, and begun again
    link             that node's link is dead
    slow             that node receives 3 Mbit/s only
    containerd-stop  SIGSTOP of that node's containerd
    child-kill       SIGKILL of a mirror that takes the largest layer from the root
    tower            SIGKILL of the mirror that decides about the largest layer; its node does not want the image
  --fault-at-share   when, as a share of the ideal time
  --restart-after-seconds
                     when what was killed, restarted or cancelled begins again; default 1 for restart, 2 for cancel,
                     never for the others

Makespan, hold, CPU time and failures with a fault are those of the other nodes. Copies count until these are done, and
until the faulty node is, too, where it can go on: not with stop, link, slow and containerd-stop.
HELD is the longest that one request waited for a flight without a byte.`;

const { values } = readScriptOptions({
  script: SCRIPT,
  usage: USAGE,
  options: {
    scenario: { type: 'string' },
    nodes: { type: 'string', default: '3' },
    'upstream-mbit': { type: 'string', default: '200' },
    'link-mbit': { type: 'string', default: '1000' },
    layers: { type: 'string', default: '4' },
    'size-mb': { type: 'string', default: '100' },
    images: { type: 'string', default: '1' },
    content: { type: 'string', default: 'random' },
    'apart-seconds': { type: 'string', default: '0' },
    holders: { type: 'string', default: '0' },
    private: { type: 'boolean', default: false },
    'parallel-ranges': { type: 'boolean', default: false },
    fault: { type: 'string' },
    'fault-at-share': { type: 'string', default: '0.3' },
    'restart-after-seconds': { type: 'string' },
    rounds: { type: 'string', default: '3' },
    with: { type: 'string' },
    binary: { type: 'string', default: BINARY },
    'containerd-bin-dir': { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const whole = (name: 'nodes' | 'layers' | 'images' | 'rounds', least: number) =>
  readWholeNumber(SCRIPT, `--${name}`, values[name], least);
const number = (name: 'upstream-mbit' | 'link-mbit' | 'size-mb' | 'fault-at-share') =>
  readPositiveNumber(SCRIPT, `--${name}`, values[name]);
const seconds = (name: 'apart-seconds' | 'restart-after-seconds', text: string) =>
  readWholeNumber(SCRIPT, `--${name}`, text, 0) * 1000;
const [content = 'random', ...more] = readChoices(SCRIPT, '--content', values.content, CONTENTS);
if (more.length > 0) refuseArguments(SCRIPT, `--content is one of ${CONTENTS.join(', ')}`);
const atShare = number('fault-at-share');
const after = values['restart-after-seconds'];
const awayMs = after === undefined ? undefined : seconds('restart-after-seconds', after);
const faults = values.fault === undefined ? [] : readChoices(SCRIPT, '--fault', values.fault, FAULTS);
const options = {
  nodes: whole('nodes', 1),
  layers: whole('layers', 1),
  images: whole('images', 1),
  rounds: whole('rounds', 1),
  holders: readWholeNumber(SCRIPT, '--holders', values.holders, 0),
  upstreamMbit: number('upstream-mbit'),
  linkMbit: number('link-mbit'),
  sizeBytes: number('size-mb') * MB,
  content,
  apartMs: seconds('apart-seconds', values['apart-seconds']),
  isPrivate: values.private,
  fetchBufferBytes: values['parallel-ranges'] ? FETCH_BUFFER_BYTES : undefined,
  containerdBinDir: values['containerd-bin-dir'],
  say: (text: string) => console.error(`${new Date().toISOString().slice(11, 19)} ${text}`),
};
const CONTENDERS: Readonly<
  Record<string, { readonly binary: string; readonly mirrorArgs: readonly string[] }>
> = {
  on: { binary: values.binary, mirrorArgs: ['--flights-enabled=true'] },
  off: { binary: values.binary, mirrorArgs: ['--flights-enabled=false'] },
  none: { binary: NO_MIRROR, mirrorArgs: [] },
};
const names = (values.with ?? (faults.length > 0 || values.private ? 'on' : 'on,none')).split(',');
for (const name of names) {
  if (CONTENDERS[name] === undefined) refuseArguments(SCRIPT, `--with has no '${name}', only on, off, none`);
}
const isOnOnly = names.every((name) => name === 'on');
if (faults.length > 0 && !isOnOnly) refuseArguments(SCRIPT, '--fault takes --with on only');
if (faults.length > 0 && options.holders > 0) {
  refuseArguments(SCRIPT, '--fault takes no --holders: nothing is downloaded from upstream then');
}
if (faults.length > 0 && options.nodes < 3) refuseArguments(SCRIPT, '--fault takes --nodes from 3 on');
if (after !== undefined && faults.length === 0) {
  refuseArguments(SCRIPT, '--restart-after-seconds takes --fault, too');
}
if (options.images > 1 && options.layers < 2) {
  refuseArguments(SCRIPT, '--images takes --layers from 2 on, so that some can be in common');
}
if (values.private && names.includes('none')) {
  refuseArguments(SCRIPT, '--private takes no --with none: a node without credentials would try for ever');
}
if (values.private && options.holders > 0) refuseArguments(SCRIPT, '--private takes no --holders');
if (values['parallel-ranges']) {
  const folder = options.containerdBinDir;
  if (folder === undefined) {
    refuseArguments(SCRIPT, '--parallel-ranges takes --containerd-bin-dir with containerd 2.1 or later');
  }
  const { version } = parseContainerdVersion(await runCommand([join(folder, 'containerd'), '--version']));
  if (!hasParallelRanges(version)) {
    refuseArguments(SCRIPT, `--parallel-ranges takes containerd 2.1 or later, not ${version}`);
  }
}
requireRoot(SCRIPT, 'it makes network namespaces');

const results: ColdResult[] = [];
for (const name of names) {
  const contender = CONTENDERS[name];
  if (contender === undefined) continue;
  if (faults.length === 0) results.push(await runCold({ ...options, ...contender, name, fault: undefined }));
  for (const fault of faults) {
    results.push(
      await runCold({ ...options, ...contender, name: fault, fault: { name: fault, atShare, awayMs } }),
    );
  }
}
console.log(values.json ? JSON.stringify(results, undefined, 2) : `\n${formatCold(results)}`);
