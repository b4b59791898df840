import { startWithEngineSettings } from '../src/runtime/engine-settings.ts';

// Before the rest is loaded, which takes longer than the start itself.
if (process.argv.includes('registry')) startWithEngineSettings();
const { main } = await import('../src/cli.ts');
await main();
