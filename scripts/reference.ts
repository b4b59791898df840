import { REFERENCE_FILE, renderReference } from './docs/reference.ts';

// Writes docs/REFERENCE.md, which a test compares with what this makes. To be run after a change of flags, metrics,
// endpoints or values.
await Bun.write(REFERENCE_FILE, await renderReference());
console.log(`reference: wrote ${REFERENCE_FILE}`);
