import { formatRecords } from './records/format-records.ts';
import { runRecords } from './records/run-records.ts';
import { readScriptOptions, readWholeNumber } from '../lab/script-options.ts';

const SCRIPT = 'bench';
const USAGE = `GET_PROVIDERS of one node with many provider records, beside kad-dht with its own store, each in a process of its own.
Figures are comparable within one run only: look at /proc/loadavg first.

  scripts/bench/run --scenario records [--records 20000,100000] [--queries 2000] [--json]`;

const { values } = readScriptOptions({
  script: SCRIPT,
  usage: USAGE,
  options: {
    scenario: { type: 'string' },
    records: { type: 'string', default: '20000,100000' },
    queries: { type: 'string', default: '2000' },
    json: { type: 'boolean', default: false },
  },
});
const sizes = values.records.split(',').map((size) => readWholeNumber(SCRIPT, '--records', size, 1));
const queries = readWholeNumber(SCRIPT, '--queries', values.queries, 1);
const results = await runRecords({
  sizes,
  queries,
  say: (text) => console.error(`${new Date().toISOString().slice(11, 19)} ${text}`),
});
console.log(values.json ? JSON.stringify(results, undefined, 2) : `\n${formatRecords(results)}`);
