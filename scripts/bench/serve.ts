import { formatTable } from '../../src/terminal/format-table.ts';
import type { LabNode } from '../lab/lab-node.ts';
import { readCpuSeconds } from '../lab/process-usage.ts';
import { runCommand } from '../lab/run-command.ts';
import { createImage, type TestBlob } from '../lab/test-image.ts';
import { contentPath, untilFound } from '../lab/until-found.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { type Contender, inTurn } from './contender.ts';
import { formatSpread, quantile } from './statistics.ts';

const REPOSITORY = 'serve';
const SMALL_BYTES = 4096;
const GB = 1e9;
const MB = 1e6;
const MICROSECONDS = 1e6;

/** A request that is made many times. */
interface Load {
  readonly name: string;
  /** Through a node that does not have the content, else at the node that has it. */
  readonly remote: boolean;
  readonly path: string;
  /** Of each answer; 0 for an answer that does not matter. */
  readonly bytes: number;
  /** A layer, whose bytes count, not the request. */
  readonly isBody: boolean;
  /** Clients at once. */
  readonly clients: number;
  /** Requests of all clients together. */
  readonly requests: number;
}

/** What a contender did under a load. One entry per round. */
export interface ServeResult {
  readonly name: string;
  readonly load: string;
  /** Bodies: MB/s; small answers: requests a second. */
  readonly rates: number[];
  /** Of both mirrors together. Bodies: seconds per GB; small answers: microseconds per request. */
  readonly cpu: number[];
  /** Small answers: the time that 99 of 100 requests do not exceed, in ms. */
  readonly p99Ms: number[];
  /** Requests that got another answer, mostly 404 or 503. */
  readonly failed: number[];
}

/** Options of runServe. */
export interface ServeOptions {
  readonly rounds: number;
  readonly sizeBytes: number;
  /** Small requests of a load and round. */
  readonly requests: number;
  /** Told what happens. */
  readonly say: (text: string) => void;
}

/** Plain HTTP clients ask a node that has an image, and a node that does not: rates, CPU, waiting. */
export async function runServe(
  contenders: readonly Contender[],
  { rounds, sizeBytes, requests, say }: ServeOptions,
): Promise<ServeResult[]> {
  const image = createImage({ seed: REPOSITORY, layers: [{ sizeBytes }, { sizeBytes: SMALL_BYTES }] });
  const [large, little] = image.blobs.filter(({ kind }) => kind === 'layer');
  const manifestBlob = image.blobs.find(({ kind }) => kind === 'manifest');
  if (large === undefined || little === undefined || manifestBlob === undefined) throw new Error('No image');
  const small = { isBody: false, clients: 16, requests };
  const wholeOf = (blob: TestBlob) => ({ path: contentPath(REPOSITORY, blob), bytes: blob.sizeBytes });
  const loads: Load[] = [];
  for (const remote of [false, true]) {
    const where = remote ? 'remote' : 'local';
    for (const clients of [1, 16]) {
      const body = { remote, ...wholeOf(large), isBody: true, clients, requests: clients };
      loads.push({ name: `${where} layer, ${clients}`, ...body });
    }
    const blob = { remote, ...wholeOf(little), ...small };
    loads.push({ name: `${where} 4 KiB blob`, ...blob });
    const manifest = { remote, ...wholeOf(manifestBlob), ...small };
    loads.push({ name: `${where} manifest`, ...manifest });
  }
  const absent = `/v2/${REPOSITORY}/blobs/sha256:${'0'.repeat(64)}?ns=${REGISTRY}`;
  loads.push({ name: 'absent blob', remote: true, path: absent, bytes: 0, ...small });

  const withMirror = contenders.filter(({ mirrored }) => mirrored.length > 0);
  for (const { lab, holder, puller } of withMirror) {
    await lab.upstream.push(image, REPOSITORY, 'v1');
    await holder.pull(`${REGISTRY}/${REPOSITORY}:v1`);
    await untilFound(puller, image, REPOSITORY, 'v1');
  }
  const results: ServeResult[] = [];
  for (const load of loads) {
    const ofLoad = withMirror.map((contender) => ({
      contender,
      result: {
        name: contender.name,
        load: load.name,
        rates: [],
        cpu: [],
        p99Ms: [],
        failed: [],
      } as ServeResult,
    }));
    // A round that does not count: machine code is made, connections are opened.
    for (let round = -1; round < rounds; round++) {
      for (const { contender, result } of inTurn(ofLoad, Math.max(round, 0))) {
        const { seconds, cpuSeconds, timesMs, receivedBytes, failed } = await play(contender, load);
        if (round < 0) continue;
        result.rates.push(load.isBody ? receivedBytes / MB / seconds : load.requests / seconds);
        result.cpu.push(
          load.isBody ? cpuSeconds / (receivedBytes / GB) : (cpuSeconds * MICROSECONDS) / load.requests,
        );
        result.failed.push(failed);
        if (!load.isBody) result.p99Ms.push(quantile(timesMs, 0.99));
        say(
          `${load.name}, ${contender.name}: ${result.rates.at(-1)?.toFixed(0)}, ${result.cpu.at(-1)?.toFixed(2)}`,
        );
      }
    }
    results.push(...ofLoad.map(({ result }) => result));
  }
  return results;
}

async function play({ holder, puller, mirrored }: Contender, load: Load) {
  const node = load.remote ? puller : holder;
  const cpuSeconds = async () => {
    const each = await Promise.all(mirrored.map(async ({ mirror }) => readCpuSeconds(mirror.pid)));
    return each.reduce((sum, seconds) => sum + seconds, 0);
  };
  const before = await cpuSeconds();
  const startMs = performance.now();
  const asked = await ask(node, load);
  const seconds = (performance.now() - startMs) / 1000;
  return { seconds, cpuSeconds: (await cpuSeconds()) - before, ...asked };
}

/** Plays all clients in a process of the node's namespace. */
async function ask(node: LabNode, { path, clients, requests, bytes }: Load) {
  const url = `${node.mirror.url}${path}`;
  const out = await runCommand(
    [
      ...node.endpoint.namespace.enter,
      'curl',
      '--silent',
      '--show-error',
      '--parallel',
      '--parallel-immediate',
      '--parallel-max',
      String(clients),
      '--output',
      '/dev/null',
      '--write-out',
      '%{time_total} %{size_download}\\n',
      `${url}&n=[1-${requests}]`,
    ],
    { timeoutMs: 300_000 },
  );
  const lines = out.trim().split('\n');
  if (lines.length !== requests) throw new Error(`${lines.length} of ${requests} requests were answered`);
  const answers = lines.map((line) => line.split(' ').map(Number));
  return {
    timesMs: answers.map(([seconds = 0]) => seconds * 1000),
    receivedBytes: answers.reduce((sum, [, received = 0]) => sum + received, 0),
    failed: bytes === 0 ? 0 : answers.filter(([, received]) => received !== bytes).length,
  };
}

/** The scenario as a table; medians with their range, ratios are of medians. */
export function formatServe(results: readonly ServeResult[]): string {
  return formatTable([
    ['SERVE', '', 'MB/s or req/s', 'CPU s/GB or us', 'P99 ms', 'FAILED'],
    ...results.map(({ name, load, rates, cpu, p99Ms, failed }) => [
      load,
      name,
      formatSpread(rates, 0),
      formatSpread(cpu),
      p99Ms.length === 0 ? '-' : formatSpread(p99Ms, 1),
      String(failed.reduce((sum, count) => sum + count, 0)),
    ]),
  ]);
}
