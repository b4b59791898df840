import { afterAll, beforeAll, expect, test } from 'bun:test';
import { fileURLToPath } from 'node:url';
import type { Browser, CDPSession } from 'playwright-core';
import { ENGINE_SETTINGS } from '../../src/runtime/engine-settings.ts';
import { startBrowser } from '../lab/browser.ts';
import { createCleanup } from '../lab/cleanup.ts';
import { waitFor } from '../lab/wait-for.ts';

const PEERS = 1000;
const TAGS = 10_000;
/** Peers of which something changes each second. */
const BUSY_PEERS = 300;
const TIMEOUT_MS = 120_000;
/** Of a page that writes each peer and each image there would be many times as many. */
const MAX_ELEMENTS = 8000;
const MAX_HEAP_BYTES = 100e6;
const MB = 1e6;

const cleanup = createCleanup();
let browser: Browser;
let url: string;

beforeAll(async () => {
  const script = fileURLToPath(import.meta.resolve('../bench/page/page-node.ts'));
  const node = Bun.spawn([process.execPath, script, ...[PEERS, TAGS, BUSY_PEERS].map(String)], {
    env: { ...process.env, ...ENGINE_SETTINGS },
    stdout: 'pipe',
    stderr: 'inherit',
  });
  cleanup.defer('page node', () => node.kill('SIGKILL'));
  const { value } = await node.stdout.getReader().read();
  url = `http://127.0.0.1:${new TextDecoder().decode(value).trim()}/debug/web/`;
  browser = await startBrowser({ cleanup });
}, TIMEOUT_MS);
afterAll(async () => {
  await browser?.close();
  cleanup.run();
}, TIMEOUT_MS);

/** What Chromium counts of the page. */
async function measure(session: CDPSession): Promise<Readonly<Record<string, number>>> {
  await session.send('HeapProfiler.collectGarbage');
  const { metrics } = await session.send('Performance.getMetrics');
  return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
}

test(
  `shows ${PEERS} peers and ${TAGS} images while ${BUSY_PEERS} peers change each second`,
  async () => {
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    const startedMs = performance.now();
    await page.goto(url, { waitUntil: 'commit' });
    await page.locator('#peers tbody tr').first().waitFor();
    const firstRowMs = performance.now() - startedMs;
    await page.getByText('Live', { exact: true }).waitFor();
    const liveMs = performance.now() - startedMs;

    await page.evaluate(`window.longTasks = [];
      new PerformanceObserver((list) => longTasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask' })`);
    const session = await page.context().newCDPSession(page);
    await session.send('Performance.enable');
    const before = await measure(session);
    const scrolledMs = performance.now();
    for (let n = 0; n < 100; n++) {
      await page.mouse.wheel(0, n < 50 ? 300 : -300);
      await page.waitForTimeout(50);
    }
    const seconds = (performance.now() - scrolledMs) / 1000;
    const after = await measure(session);
    const elements = await page.evaluate<number>("document.querySelectorAll('*').length");
    const longTasks = await page.evaluate<number[]>('longTasks');

    const search = page.locator('#images').getByPlaceholder('a part of the name');
    const rows = page.locator('#images tbody tr');
    const searchedMs = performance.now();
    await search.fill('service-123:');
    await waitFor('what the node has found', async () => (await rows.count()) === TAGS / 1000);
    const searchMs = performance.now() - searchedMs;
    const peers = page.locator('#peers tbody tr');
    await page.locator('#peers').getByPlaceholder('name, address or zone').fill('10.0.0.7');
    await waitFor('the peers at 10.0.0.7, .70 to .79', async () => (await peers.count()) === 11);

    const heapBytes = after['JSHeapUsedSize'] ?? Number.NaN;
    const cpu = (((after['TaskDuration'] ?? 0) - (before['TaskDuration'] ?? 0)) / seconds) * 100;
    console.log(
      `page of ${PEERS} peers and ${TAGS} images: first row ${firstRowMs.toFixed(0)} ms, live ${liveMs.toFixed(0)} ms, ` +
        `search ${searchMs.toFixed(0)} ms, heap ${(heapBytes / MB).toFixed(1)} MB, ${elements} elements, main thread ${cpu.toFixed(0)} %, ` +
        `${longTasks.length} tasks above 50 ms in ${seconds.toFixed(0)} s of scrolling, the longest ${Math.max(0, ...longTasks).toFixed(0)} ms`,
    );
    expect(elements).toBeLessThan(MAX_ELEMENTS);
    expect(heapBytes).toBeLessThan(MAX_HEAP_BYTES);
    await page.close();
  },
  TIMEOUT_MS,
);
