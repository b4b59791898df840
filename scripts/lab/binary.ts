import { join } from 'node:path';

/** The spegel that demo, tests and benches run: SPEGEL_BINARY, or what scripts/build made. */
export const BINARY = process.env['SPEGEL_BINARY'] ?? join(import.meta.dir, '../../dist/spegel');
