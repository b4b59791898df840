import { fuzzHeads } from './fuzz/fuzz-heads.ts';
import { readScriptOptions, readWholeNumber } from './lab/script-options.ts';

const SCRIPT = 'fuzz-heads';
/** Longer than any input may take, on a busy machine, too. */
const MAX_INPUT_MS = 500;
const BATCH = 20_000;

const USAGE = `Usage: scripts/${SCRIPT} [options]

Gives mutations of valid heads to what reads the heads of requests and of peers' answers, whole and cut into parts at any
byte. It exits with 1 when an input throws, takes more than ${MAX_INPUT_MS} ms, is read otherwise in parts or when it is written
again, or is accepted although RFC 9112 calls it ambiguous: two lengths, a length beside a transfer coding, bare CR or LF, NUL,
a space before the colon, a folded line. The inputs follow from the seed.

  --inputs N   how many (default 2000000)
  --seed N     default 1
  --first N    the number of the first input, to see it again (default 0)

Takes about a minute for the default.`;

const { values } = readScriptOptions({
  script: SCRIPT,
  usage: USAGE,
  options: {
    inputs: { type: 'string', default: '2000000' },
    seed: { type: 'string', default: '1' },
    first: { type: 'string', default: '0' },
  },
});
const inputs = readWholeNumber(SCRIPT, '--inputs', values.inputs, 1);
const seed = readWholeNumber(SCRIPT, '--seed', values.seed, 0);
const first = readWholeNumber(SCRIPT, '--first', values.first, 0);

const startMs = performance.now();
const faults: string[] = [];
let [acceptedRequests, acceptedAnswers, slowestMs, slowest] = [0, 0, 0, first];
for (let at = first; at < first + inputs && faults.length === 0; at += BATCH) {
  const found = await fuzzHeads({ first: at, inputs: Math.min(BATCH, first + inputs - at), seed });
  faults.push(...found.faults);
  acceptedRequests += found.acceptedRequests;
  acceptedAnswers += found.acceptedAnswers;
  if (found.slowestMs > slowestMs) ({ slowestMs, slowest } = found);
}
if (slowestMs > MAX_INPUT_MS) faults.push(`Input ${slowest} takes ${Math.round(slowestMs)} ms`);
const seconds = (performance.now() - startMs) / 1000;
console.log(`${inputs} inputs of seed ${seed} in ${seconds.toFixed(1)} s`);
console.log(`accepted ${acceptedRequests} requests and ${acceptedAnswers} answers`);
console.log(`the slowest input, ${slowest}, took ${slowestMs.toFixed(1)} ms`);
for (const fault of faults) console.log(`WRONG ${fault}`);
console.log(faults.length === 0 ? 'OK' : `${faults.length} faults`);
process.exit(faults.length === 0 ? 0 : 1);
