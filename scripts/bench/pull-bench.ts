import { BINARY } from '../lab/binary.ts';
import { readScriptOptions, readWholeNumber, requireRoot } from '../lab/script-options.ts';
import { inTurn } from './contender.ts';
import { formatPull } from './pull/format-pull.ts';
import { type PullBenchResult, runPull } from './pull/run-pull.ts';

const SCRIPT = 'bench';
const USAGE = `One node pulls images of many small layers that no node has, one after the other, through real containerds, in a cluster of its own
for each program and round: what that costs its mirror, and when the other nodes find the layers.
Figures are comparable within one run only.

  scripts/bench/run --scenario pull [--nodes 6] [--images 20] [--layers 100] [--layer-bytes 2048] [--asked 100] [--rounds 3]
                    [--other BINARY] [--binary BINARY] [--containerd-bin-dir FOLDER] [--json]

  --layers of each image: containerd asks for all of them at once
  --asked  layers that are looked for on the other nodes once the pull is over
  --other  another program with the same command line, in turn with this one

CPU s is that of the mirror of the node that pulls, until it is quiet after the pull.
With containerd 1.6 and 1.7 Spegel (Go) learns of nothing that is pulled: compare with 2.x.`;

const { values } = readScriptOptions({
  script: SCRIPT,
  usage: USAGE,
  options: {
    scenario: { type: 'string' },
    nodes: { type: 'string', default: '6' },
    images: { type: 'string', default: '20' },
    layers: { type: 'string', default: '100' },
    'layer-bytes': { type: 'string', default: '2048' },
    asked: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '3' },
    other: { type: 'string' },
    binary: { type: 'string', default: BINARY },
    'containerd-bin-dir': { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const whole = (name: 'nodes' | 'images' | 'layers' | 'layer-bytes' | 'asked' | 'rounds', least: number) =>
  readWholeNumber(SCRIPT, `--${name}`, values[name], least);
const rounds = whole('rounds', 1);
const options = {
  nodes: whole('nodes', 1),
  images: whole('images', 1),
  layers: whole('layers', 1),
  layerBytes: whole('layer-bytes', 1),
  asked: whole('asked', 0),
  containerdBinDir: values['containerd-bin-dir'],
  say: (text: string) => console.error(text),
};
const programs = [
  { name: 'spegel', binary: values.binary },
  ...(values.other === undefined ? [] : [{ name: 'other', binary: values.other }]),
];
requireRoot(SCRIPT, 'it makes network namespaces');

const results: PullBenchResult[] = [];
for (let round = 0; round < rounds; round += 1) {
  for (const program of inTurn(programs, round)) results.push(await runPull({ ...options, ...program }));
}
console.log(values.json ? JSON.stringify(results, undefined, 2) : `\n${formatPull(results)}`);
