import { REFERENCE_FILE, renderReference } from './docs/reference.ts';
import { readScriptOptions } from './lab/script-options.ts';

const USAGE = `Usage: bun scripts/reference.ts, or: bun run reference

Writes docs/REFERENCE.md, which a test compares with what this makes. To be run after a change of flags, metrics,
endpoints or values.`;
readScriptOptions({ script: 'reference', usage: USAGE });
await Bun.write(REFERENCE_FILE, await renderReference());
console.log(`reference: wrote ${REFERENCE_FILE}`);
