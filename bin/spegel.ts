import { main } from '../src/cli.ts';

await main();
