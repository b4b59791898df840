import { MEMORY_TABLE_FILE, withMemoryTable } from './docs/memory-table.ts';
import { REFERENCE_FILE, renderReference } from './docs/reference.ts';
import { readScriptOptions } from './lab/script-options.ts';

const USAGE = `Usage: bun scripts/reference.ts, or: bun run reference

Writes docs/REFERENCE.md and the memory table of docs/SECURITY.md, which tests compare with what this makes. To be run
after a change of flags, metrics, endpoints, values, or the memory plan.`;
readScriptOptions({ script: 'reference', usage: USAGE });
await Bun.write(REFERENCE_FILE, await renderReference());
await Bun.write(MEMORY_TABLE_FILE, withMemoryTable(await Bun.file(MEMORY_TABLE_FILE).text()));
console.log(`reference: wrote ${REFERENCE_FILE} and the table in ${MEMORY_TABLE_FILE}`);
