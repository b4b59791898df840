import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ENGINE_SETTINGS } from '../../src/runtime/engine-settings.ts';
import { HOLDERS_PATH, IMAGES_PATH, imagesQuery } from '../../src/web/images-report.ts';
import { LIVE_PATH } from '../../src/web/live-report.ts';
import { readAnonymousBytes, readCpuSeconds } from '../lab/process-usage.ts';
import { readScriptOptions, readWholeNumber } from '../lab/script-options.ts';

const SCRIPT = 'bench';
const USAGE = `What the debug page costs a node: its listener alone, in a process of its own, with made-up peers, images and pulls.

  scripts/bench/run --scenario page [--peers 1000] [--busy-peers 100] [--tags 10000] [--streams 8] [--seconds 60] [--json]

  --busy-peers  peers from which something is taken each second
  --streams     pages that are open`;

const MIB = 1024 * 1024;
const SECOND_MS = 1000;
const SETTLE_MS = 5 * SECOND_MS;
const SAMPLE_MS = 50;
const SEARCHES = 20;

const { values } = readScriptOptions({
  script: SCRIPT,
  usage: USAGE,
  options: {
    scenario: { type: 'string' },
    peers: { type: 'string', default: '1000' },
    'busy-peers': { type: 'string', default: '100' },
    tags: { type: 'string', default: '10000' },
    streams: { type: 'string', default: '8' },
    seconds: { type: 'string', default: '60' },
    json: { type: 'boolean', default: false },
  },
});
const read = (name: 'peers' | 'busy-peers' | 'tags' | 'streams' | 'seconds') =>
  readWholeNumber(SCRIPT, `--${name}`, values[name], 1);
const seconds = read('seconds');

const node = Bun.spawn(
  [
    process.execPath,
    fileURLToPath(import.meta.resolve('./page/page-node.ts')),
    ...[read('peers'), read('tags'), read('busy-peers')].map(String),
  ],
  { env: { ...process.env, ...ENGINE_SETTINGS }, stdout: 'pipe', stderr: 'inherit' },
);
try {
  const first = await node.stdout.getReader().read();
  const origin = `http://127.0.0.1:${new TextDecoder().decode(first.value).trim()}`;
  await sleep(SETTLE_MS);
  const idleBytes = await readAnonymousBytes(node.pid);
  const idleCpu = await measureCpu(SETTLE_MS);
  const end = new AbortController();
  const streams = Array.from({ length: read('streams') }, () => follow(origin, end.signal));
  let peakBytes = 0;
  const watched = new AbortController();
  const watching = (async () => {
    while (!watched.signal.aborted) {
      peakBytes = Math.max(peakBytes, await readAnonymousBytes(node.pid));
      await sleep(SAMPLE_MS);
    }
  })();
  await Promise.all(streams.map(({ begun }) => begun));
  const cpu = await measureCpu(seconds * SECOND_MS);
  const searchMs = await measureSearches(origin);
  watched.abort();
  await watching;
  end.abort();
  const received = await Promise.all(streams.map(({ bytes }) => bytes));
  await sleep(SETTLE_MS);
  const figures = {
    idleAnonymousMiB: idleBytes / MIB,
    peakAnonymousMiB: peakBytes / MIB,
    afterAnonymousMiB: (await readAnonymousBytes(node.pid)) / MIB,
    idleCpuPercent: idleCpu,
    openCpuPercent: cpu,
    bytesPerStreamAndSecond: received.reduce((sum, bytes) => sum + bytes, 0) / received.length / seconds,
    searchMs,
  };
  console.log(values.json ? JSON.stringify(figures, undefined, 2) : format(figures));
} finally {
  node.kill();
  await node.exited;
}

/** CPU of the node over the time, in percent of one core. */
async function measureCpu(ms: number): Promise<number> {
  const before = await readCpuSeconds(node.pid);
  await sleep(ms);
  return (((await readCpuSeconds(node.pid)) - before) * SECOND_MS * 100) / ms;
}

/** A page that is open: resolves when it has begun, and when it has ended with the bytes that came. */
function follow(origin: string, signal: AbortSignal) {
  const begun = Promise.withResolvers<void>();
  const bytes = (async () => {
    let received = 0;
    try {
      const response = await fetch(`${origin}${LIVE_PATH}`, { signal });
      if (response.status !== 200) throw new Error(`${LIVE_PATH} answered ${response.status}`);
      for await (const chunk of response.body ?? []) {
        received += chunk.byteLength;
        begun.resolve();
      }
    } catch (error) {
      begun.reject(error);
      if (!signal.aborted) throw error;
    }
    return received;
  })();
  return { begun: begun.promise, bytes };
}

/** How long searches of all images take, in ms: the slowest of each kind. */
async function measureSearches(origin: string) {
  const slowest = async (work: () => Promise<Response>) => {
    let most = 0;
    for (let i = 0; i < SEARCHES; i++) {
      const startedMs = performance.now();
      const response = await work();
      await response.arrayBuffer();
      if (response.status !== 200) throw new Error(`${response.url} answered ${response.status}`);
      most = Math.max(most, performance.now() - startedMs);
    }
    return most;
  };
  const search = (text: string) => async () =>
    fetch(`${origin}${IMAGES_PATH}?${imagesQuery({ search: text, offset: 0, limit: 100 })}`);
  const keys = Array.from({ length: 50 }, (_, n) => `registry.example/team/service:v${n}`);
  return {
    all: await slowest(search('')),
    some: await slowest(search('service-12')),
    holders: await slowest(async () =>
      fetch(`${origin}${HOLDERS_PATH}`, { method: 'POST', body: JSON.stringify({ keys }) }),
    ),
  };
}

function format(figures: Readonly<Record<string, number | Readonly<Record<string, number>>>>): string {
  return Object.entries(figures)
    .flatMap(([name, value]) =>
      typeof value === 'number'
        ? [[name, value] as const]
        : Object.entries(value).map(([part, each]) => [`${name} ${part}`, each] as const),
    )
    .map(([name, value]) => `${name.padEnd(28)}${value.toFixed(1)}`)
    .join('\n');
}
