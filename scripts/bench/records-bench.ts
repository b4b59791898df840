import { parseArgs } from 'node:util';
import { formatRecords } from './records/format-records.ts';
import { runRecords } from './records/run-records.ts';

const USAGE = `GET_PROVIDERS of one node with many provider records, beside kad-dht with its own store, each in a process of its own.
Figures are comparable within one run only: look at /proc/loadavg first.

  scripts/bench/run --scenario records [--records 20000,100000] [--queries 2000] [--json]`;

const { values } = parseArgs({
  options: {
    scenario: { type: 'string' },
    records: { type: 'string', default: '20000,100000' },
    queries: { type: 'string', default: '2000' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const sizes = values.records.split(',').map(Number);
const queries = Number(values.queries);
const isValid = [...sizes, queries].every((number) => Number.isInteger(number) && number > 0);
if (values.help || !isValid) {
  console.error(USAGE);
  process.exit(values.help ? 0 : 2);
}
const results = await runRecords({
  sizes,
  queries,
  say: (text) => console.error(`${new Date().toISOString().slice(11, 19)} ${text}`),
});
console.log(values.json ? JSON.stringify(results, undefined, 2) : `\n${formatRecords(results)}`);
