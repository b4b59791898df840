import { BINARY } from '../lab/binary.ts';
import {
  readChoices,
  readPositiveNumber,
  readScriptOptions,
  readWholeNumber,
  requireRoot,
} from '../lab/script-options.ts';
import { FAULTS } from './faults/fault-kinds.ts';
import { formatFaults } from './faults/format-faults.ts';
import { type FaultResult, runFault } from './faults/run-faults.ts';

const SCRIPT = 'bench';
const MB = 1e6;
const USAGE = `What a fault costs a pull by CRI, through real containerds, with shaped links. In each round: a pull without a mirror, a pull
through the mirror, and one with the fault, each of an image that the node does not have. A pull that fails is tried again
a second later. Figures are comparable within one run only, and where the machine is less than 85 % busy.

  scripts/bench/run --scenario faults [--faults LIST] [--rounds 3] [--size-mb 60] [--layers 4] [--at-share 0.3]
                    [--upstream-mbit 200] [--link-mbit 400] [--binary BINARY] [--containerd-bin-dir FOLDER] [--json]

  --faults           default all, each in a lab of its own; with -only no other node has the image
    kill, kill-only  SIGKILL of the mirror that serves, in the middle
    stop, stop-only  SIGSTOP of that mirror, in the middle
    blackhole, blackhole-only
                     that node's link is dead from the middle on
    reset, reset-only
                     its connections to the puller are reset, in the middle
    zone, zone-middle
                     all holders of the puller's zone are cut off, before the pull or in its middle; a third holder is in
                     another zone
    flipped-bit, flipped-bit-only
                     a bit of a layer flips on the disk of a holder, before the pull
    liar-only        the holder gives wrong bytes that cannot be told from outside
    slow-dials       the puller's mirror has just started, and each round trip of the puller takes 150 ms
    containerd-restart
                     the puller's containerd is restarted in the middle
    disk-full        the puller's disk is full after 0.4 of the image; there is room again after two tries that failed
  --at-share         share of the image that is there when a fault in the middle begins
  --link-mbit        each node's link, both ways

COST is the time with the fault less that of the healthy pull of the same round. NO MIRROR, FAULT is a node without a mirror
that has the same fault. WRONG BLOBS are those for which the mirror blamed a peer.`;

const { values } = readScriptOptions({
  script: SCRIPT,
  usage: USAGE,
  options: {
    scenario: { type: 'string' },
    faults: { type: 'string', default: FAULTS.join(',') },
    rounds: { type: 'string', default: '3' },
    'size-mb': { type: 'string', default: '60' },
    layers: { type: 'string', default: '4' },
    'at-share': { type: 'string', default: '0.3' },
    'upstream-mbit': { type: 'string', default: '200' },
    'link-mbit': { type: 'string', default: '400' },
    binary: { type: 'string', default: BINARY },
    'containerd-bin-dir': { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const number = (name: 'size-mb' | 'at-share' | 'upstream-mbit' | 'link-mbit') =>
  readPositiveNumber(SCRIPT, `--${name}`, values[name]);
const faults = readChoices(SCRIPT, '--faults', values.faults, FAULTS);
const options = {
  rounds: readWholeNumber(SCRIPT, '--rounds', values.rounds, 1),
  layers: readWholeNumber(SCRIPT, '--layers', values.layers, 1),
  sizeBytes: number('size-mb') * MB,
  atShare: number('at-share'),
  upstreamMbit: number('upstream-mbit'),
  linkMbit: number('link-mbit'),
  binary: values.binary,
  containerdBinDir: values['containerd-bin-dir'],
  say: (text: string) => console.error(`${new Date().toISOString().slice(11, 19)} ${text}`),
};
requireRoot(SCRIPT, 'it makes network namespaces');

const results: FaultResult[] = [];
for (const fault of faults) {
  try {
    results.push(await runFault(fault, options));
  } catch (error) {
    // The others are of use without it.
    console.error(`${SCRIPT}: ${fault} could not be measured:`, error);
    process.exitCode = 1;
  }
}
console.log(values.json ? JSON.stringify(results, undefined, 2) : `\n${formatFaults(results)}`);
