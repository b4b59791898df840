import { MEMORY_TABLE_FILE, withMemoryTable } from './docs/memory-table.ts';
import { REFERENCE_FILE, renderReference } from './docs/reference.ts';
import { ROOMS_TABLE_FILE, withRoomsTable } from './docs/rooms-table.ts';
import { readScriptOptions } from './lab/script-options.ts';

const USAGE = `Usage: bun scripts/reference.ts, or: bun run reference

Writes docs/REFERENCE.md, the memory table of docs/SECURITY.md and the table of rooms of docs/ARCHITECTURE.md, which tests
compare with what this makes. To be run after a change of flags, metrics, endpoints, values, the memory plan or the rooms.`;
readScriptOptions({ script: 'reference', usage: USAGE });
await Bun.write(REFERENCE_FILE, await renderReference());
await Bun.write(MEMORY_TABLE_FILE, withMemoryTable(await Bun.file(MEMORY_TABLE_FILE).text()));
await Bun.write(ROOMS_TABLE_FILE, withRoomsTable(await Bun.file(ROOMS_TABLE_FILE).text()));
console.log(
  `reference: wrote ${REFERENCE_FILE} and the tables in ${MEMORY_TABLE_FILE} and ${ROOMS_TABLE_FILE}`,
);
