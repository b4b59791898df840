import { startWithEngineSettings } from '../src/runtime/engine-settings.ts';

// Before the rest is loaded, which takes longer than the start itself. For another command with such an argument it does
// no harm.
const failure = process.argv.includes('registry') ? startWithEngineSettings() : undefined;
const { main } = await import('../src/cli.ts');
await main(failure);
