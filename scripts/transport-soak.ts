import { readChoices, readScriptOptions, readWholeNumber } from './lab/script-options.ts';
import { runSoak, type SoakResources } from './soak/run-soak.ts';

const SCRIPT = 'soak-transport';
/** So much more may be kept of freed memory, with either transport, while the engine's heap is as small as before. */
const MAX_GROWTH_MIB = 96;

const USAGE = `Usage: scripts/${SCRIPT} [options]

Asks a transport of src/http for bodies: files, files that grow, and bodies of a peer. Two of five requests go wrong somewhere.
Clients reset, half-close, pause and stall; peers reset, stall, end early and send more than they promised; the handler
cancels and breaks off. All of it is in this process, over loopback. What the requests do follows from the seed.
It exits with 1 when a client gets a wrong byte, a short body that was not broken off, or a reset; and when anything is left
at the end: a descriptor, a subscription, or more than ${MAX_GROWTH_MIB} MiB of memory (RSS) than after the first requests.

  --transport NAME   kernel or buffered (default kernel)
  --requests N       how many (default 100000), after a tenth as many to warm up
  --clients N        how many at once (default 64)
  --seed N           default 1

Takes some minutes for the default on two cores.`;

const { values } = readScriptOptions({
  script: SCRIPT,
  usage: USAGE,
  options: {
    transport: { type: 'string', default: 'kernel' },
    requests: { type: 'string', default: '100000' },
    clients: { type: 'string', default: '64' },
    seed: { type: 'string', default: '1' },
  },
});
const [transport = 'kernel'] = readChoices(SCRIPT, '--transport', values.transport, [
  'kernel',
  'buffered',
] as const);
const requests = readWholeNumber(SCRIPT, '--requests', values.requests, 1);
const clients = readWholeNumber(SCRIPT, '--clients', values.clients, 1);
const seed = readWholeNumber(SCRIPT, '--seed', values.seed, 0);

const result = await runSoak({
  transport,
  requests,
  clients,
  seed,
  warmUpRequests: Math.max(200, Math.floor(requests / 10)),
  onProgress: (n) => {
    if (process.stderr.isTTY) process.stderr.write(`\r${n} requests `);
  },
});
const show = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts)
    .toSorted(([, a], [, b]) => b - a)
    .map(([what, n]) => `${what} ${n}`)
    .join(', ');
const showResources = ({ descriptors, rssMib, subscriptions }: SoakResources) =>
  `${rssMib} MiB, subscriptions ${subscriptions}, ${show(descriptors)}`;
const mib = (bytes: number) => Math.round(bytes / 2 ** 20);
console.log(`transport  ${transport}, seed ${seed}, ${requests} requests, ${clients} at once`);
console.log(`took       ${result.seconds.toFixed(1)} s`);
console.log(
  `received   ${mib(result.receivedBytes)} MiB; moved by the kernel ${mib(result.kernelMovedBytes)} MiB`,
);
console.log(`answers    ${show(result.ends)}`);
console.log(`moves      ${show(result.moves)}`);
console.log(`before     ${showResources(result.before)}`);
console.log(`warm       ${showResources(result.warm)}`);
console.log(`after      ${showResources(result.after)}`);
console.log(`closed     ${showResources(result.closed)}`);
const faults = [...result.wrong];
const grownMib = result.after.rssMib - result.warm.rssMib;
if (grownMib > MAX_GROWTH_MIB) faults.push(`The memory has grown by ${grownMib} MiB`);
if (result.after.subscriptions > 0) faults.push(`${result.after.subscriptions} subscriptions were not ended`);
for (const fault of faults.slice(0, 20)) console.log(`WRONG      ${fault}`);
console.log(faults.length === 0 ? 'OK' : `${faults.length} faults`);
process.exit(faults.length === 0 ? 0 : 1);
