import { BINARY } from '../lab/binary.ts';
import {
  readPositiveNumber,
  readScriptOptions,
  readWholeNumber,
  refuseArguments,
  requireRoot,
} from '../lab/script-options.ts';
import { NO_MIRROR } from '../lab/lab-node.ts';
import { formatCold } from './cold/format-cold.ts';
import { type ColdResult, runCold } from './cold/run-cold.ts';

const SCRIPT = 'bench';
const MB = 1e6;
const USAGE = `Many nodes want the same image at the same moment, through real containerds, with shaped links.
Ideal is the time that one copy takes over upstream's link, or over a node's where that is slower.
Figures are comparable within one run only, and where the machine is less than 85 % busy.

  scripts/bench/run --scenario cold [--nodes 3] [--upstream-mbit 200] [--link-mbit 1000] [--layers 4] [--size-mb 100]
                    [--apart-seconds 0] [--holders 0] [--rounds 3] [--with on,off,none] [--binary BINARY]
                    [--containerd-bin-dir FOLDER] [--json]

  --link-mbit      each node's link, both ways
  --apart-seconds  pause between the starts of two nodes
  --holders        nodes that have the image already, beside those that pull; upstream is gone then
  --with           on: with flights; off: without; none: without a mirror`;

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
    'apart-seconds': { type: 'string', default: '0' },
    holders: { type: 'string', default: '0' },
    rounds: { type: 'string', default: '3' },
    with: { type: 'string', default: 'on,none' },
    binary: { type: 'string', default: BINARY },
    'containerd-bin-dir': { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const whole = (name: 'nodes' | 'layers' | 'rounds', least: number) =>
  readWholeNumber(SCRIPT, `--${name}`, values[name], least);
const number = (name: 'upstream-mbit' | 'link-mbit' | 'size-mb') =>
  readPositiveNumber(SCRIPT, `--${name}`, values[name]);
const options = {
  nodes: whole('nodes', 1),
  layers: whole('layers', 1),
  rounds: whole('rounds', 1),
  holders: readWholeNumber(SCRIPT, '--holders', values.holders, 0),
  upstreamMbit: number('upstream-mbit'),
  linkMbit: number('link-mbit'),
  sizeBytes: number('size-mb') * MB,
  apartMs: readWholeNumber(SCRIPT, '--apart-seconds', values['apart-seconds'], 0) * 1000,
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
const names = values.with.split(',');
for (const name of names) {
  if (CONTENDERS[name] === undefined) refuseArguments(SCRIPT, `--with has no '${name}', only on, off, none`);
}
requireRoot(SCRIPT, 'it makes network namespaces');

const results: ColdResult[] = [];
for (const name of names) {
  const contender = CONTENDERS[name];
  if (contender !== undefined) results.push(await runCold({ ...options, ...contender, name }));
}
console.log(values.json ? JSON.stringify(results, undefined, 2) : `\n${formatCold(results)}`);
