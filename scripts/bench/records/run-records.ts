// How fast does one node answer GET_PROVIDERS with many records, and what does a record weigh, beside kad-dht's own store?
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Cleanup, createCleanup } from '../../lab/cleanup.ts';
import { type Daemon, startDaemon } from '../../lab/daemon.ts';
import { readCpuSeconds, readProcessUsage } from '../../lab/process-usage.ts';
import { waitFor } from '../../lab/wait-for.ts';
import { buildProgram } from '../build-program.ts';
import { connectControl } from '../cluster/control.ts';
import { type Summary, summarize } from '../statistics.ts';
import type { QuerierCommands, StoreCommands } from './records-commands.ts';

/** What keeps the records. */
export type StoreKind = 'own' | 'kad-dht';

/** Queries of one kind, one after the other. */
export interface QueryFigures {
  readonly tookMs: Summary | undefined;
  readonly perSecond: number;
  /** Of the node. */
  readonly cpuMsPerQuery: number;
  /** Answers without the provider. */
  readonly wrong: number;
}

/** One store with so many records. */
export interface RecordsResult {
  readonly store: StoreKind;
  readonly records: number;
  /** ADD_PROVIDER messages that it took per second. */
  readonly addedPerSecond: number;
  readonly keptStream: QueryFigures;
  readonly newStreams: QueryFigures;
  /** With the records and after the queries, garbage collected. */
  readonly rssBytes: number;
  readonly anonymousBytes: number;
  /** Anonymous memory more than before the records, for each of them. */
  readonly bytesPerRecord: number;
  /** Load average of the machine before: others disturb. */
  readonly loadBefore: number;
}

/** Options of runRecords. */
export interface RecordsOptions {
  readonly sizes: readonly number[];
  readonly queries: number;
  readonly say: (text: string) => void;
}

const PROVIDERS = 20;
/** Queries of one kind end after this, in ms. */
const BUDGET_MS = 15_000;
const STORES: readonly StoreKind[] = ['own', 'kad-dht'];
const FOLDER = '/dev/shm';
/** It enters no namespace: loopback will do. */
const HERE = { enter: [] };

/** Each size and store in a process of its own. */
export async function runRecords({ sizes, queries, say }: RecordsOptions): Promise<RecordsResult[]> {
  const cleanup = createCleanup();
  try {
    const folder = mkdtempSync(join(FOLDER, `bench${process.pid}-`));
    cleanup.defer(folder, () => rmSync(folder, { recursive: true, force: true }));
    say('compiling');
    const build = async (file: string) => buildProgram(fileURLToPath(file), { folder });
    const programs = {
      store: await build(import.meta.resolve('./records-store.ts')),
      querier: await build(import.meta.resolve('./records-querier.ts')),
    };
    const results: RecordsResult[] = [];
    for (const records of sizes) {
      for (const store of STORES) {
        say(`${store}, ${records} records`);
        results.push(await measure({ cleanup, folder, programs }, { store, records, queries }));
      }
    }
    return results;
  } finally {
    cleanup.run();
  }
}

interface MeasureDeps {
  readonly cleanup: Cleanup;
  readonly folder: string;
  readonly programs: { readonly store: string; readonly querier: string };
}

async function measure(
  { cleanup, folder, programs }: MeasureDeps,
  {
    store,
    records,
    queries,
  }: { readonly store: StoreKind; readonly records: number; readonly queries: number },
): Promise<RecordsResult> {
  const loadBefore = loadavg()[0] ?? 0;
  const start = (name: string, argv: readonly string[]) =>
    startDaemon(
      { cleanup, namespace: HERE },
      { name, argv, logPath: join(folder, `${name}.log`), cwd: folder },
    );
  const [storeSocket, querierSocket] = [join(folder, 'store.sock'), join(folder, 'querier.sock')];
  rmSync(storeSocket, { force: true });
  rmSync(querierSocket, { force: true });
  const node = start('store', [programs.store, storeSocket, store]);
  const querier = start('querier', [programs.querier, querierSocket]);
  try {
    const nodeControl = connectControl<StoreCommands>(storeSocket);
    const control = connectControl<QuerierCommands>(querierSocket);
    const address = await waitFor('the node', async () => nodeControl.address({}));
    const filling = { address, providers: PROVIDERS, keysPerProvider: Math.ceil(records / PROVIDERS) };
    await waitFor(
      'the querier',
      async () => (await control.addRecords({ ...filling, keysPerProvider: 0 })) >= 0,
    );
    await nodeControl.collect({});
    const before = await readProcessUsage(node.pid);
    const fillMs = await control.addRecords(filling);
    const query = async (isStreamKept: boolean) =>
      figures(node, async () => control.query({ ...filling, isStreamKept, queries, budgetMs: BUDGET_MS }));
    const keptStream = await query(true);
    const newStreams = await query(false);
    await nodeControl.collect({});
    const after = await readProcessUsage(node.pid);
    return {
      store,
      records,
      addedPerSecond: (records * 1000) / fillMs,
      keptStream,
      newStreams,
      rssBytes: after.rssBytes,
      anonymousBytes: after.anonymousBytes,
      bytesPerRecord: (after.anonymousBytes - before.anonymousBytes) / records,
      loadBefore,
    };
  } finally {
    await Promise.all([node.kill(), querier.kill()]);
  }
}

async function figures(
  node: Daemon,
  work: () => Promise<{ readonly tookMs: readonly number[]; readonly wrong: number }>,
): Promise<QueryFigures> {
  const cpuBefore = await readCpuSeconds(node.pid);
  const startedMs = performance.now();
  const { tookMs, wrong } = await work();
  const lastedMs = performance.now() - startedMs;
  const cpuSeconds = (await readCpuSeconds(node.pid)) - cpuBefore;
  const count = Math.max(1, tookMs.length);
  return {
    tookMs: summarize(tookMs),
    perSecond: (tookMs.length * 1000) / lastedMs,
    cpuMsPerQuery: (cpuSeconds * 1000) / count,
    wrong,
  };
}
