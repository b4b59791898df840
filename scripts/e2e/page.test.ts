import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import type { Browser, Page } from 'playwright-core';
import { startBrowser } from '../lab/browser.ts';
import { createCleanup } from '../lab/cleanup.ts';
import { discardLayers } from '../lab/discard-layers.ts';
import type { LabNode } from '../lab/lab-node.ts';
import { MIRROR_PORTS } from '../lab/mirror.ts';
import { findBarriers, findMisfits } from '../lab/page-checks.ts';
import { createImage } from '../lab/test-image.ts';
import { untilFound } from '../lab/until-found.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { waitFor } from '../lab/wait-for.ts';
import { useLab } from './test-lab.ts';

const NODES = 3;
/** Slow enough that the roll-out is seen while it runs. */
const UPSTREAM_MBIT = 40;

const lab = useLab({
  nodes: Array.from({ length: NODES }, (_, n) => ({
    mirrorArgs: ['--zone', n === 0 ? 'zone-a' : 'zone-b', '--node-name', `worker-${n + 1}`],
  })),
  upstreamMbit: UPSTREAM_MBIT,
});

const cleanup = createCleanup();
let browser: Browser;
let page: Page;
/** What the browser complained of. */
let complaints: string[] = [];

beforeAll(async () => {
  browser = await startBrowser({ cleanup }, { enter: lab().hub.enter });
});
afterAll(async () => {
  await browser?.close();
  cleanup.run();
});
beforeEach(async () => {
  await page?.context().close();
  complaints = [];
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    reducedMotion: 'reduce',
  });
  page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
});

const urlOf = (node: LabNode) => `http://${node.endpoint.ipv4}:${MIRROR_PORTS.metrics}/debug/web/`;

async function open(node: LabNode): Promise<void> {
  await page.goto(urlOf(node));
  await page.getByText('Live', { exact: true }).waitFor();
}

describe('the live page', () => {
  test('shows a roll-out while it runs, and its end, without being loaded again', async () => {
    const layers = [{ sizeBytes: 16_000_000 }, { sizeBytes: 8_000_000 }];
    const image = createImage({ seed: `page-${lab().id}`, layers });
    await lab().upstream.push(image, 'rollout', 'v1');
    await open(lab().node(1));
    await page.getByText('No pull has asked this mirror').waitFor();
    await page.evaluate("document.title = 'not loaded again'");

    // Node 2 goes to the registry, and this one takes it from there.
    const counted = await lab().upstream.count();
    const pull = async (node: LabNode) => node.pull(`${REGISTRY}/rollout:v1`);
    const pulls = [pull(lab().node(2))];
    await waitFor('node 2 to go to the registry', async () => (await counted.requests()).length > 0);
    pulls.push(pull(lab().node(1)), pull(lab().node(3)));
    const running = page.locator('details.pull.is-running').filter({ hasText: 'rollout:v1' });
    const tree = page.locator('#streams article.tree').filter({ hasText: 'rollout' }).first();
    await Promise.all([
      running.waitFor(),
      // The tree has this node and the one from which it takes it, or the registry.
      tree.locator('li.tree-row', { hasText: 'this node' }).waitFor(),
      tree.locator('li.tree-row').nth(1).waitFor(),
    ]);
    // It opens to its blobs, and stays open when it ends.
    const row = page.locator('details.pull').filter({ hasText: 'rollout:v1' });
    await row.locator('summary').click();
    const layer = image.blobs.find(({ kind }) => kind === 'layer')?.digest ?? '';
    await row.locator(`tbody code[title="${layer}"]`).waitFor();
    await Promise.all(pulls);

    const ended = page.locator('details.pull:not(.is-running)').filter({ hasText: 'rollout:v1' });
    await ended.waitFor();
    await running.waitFor({ state: 'detached' });
    expect(await ended.locator('tbody tr').count()).toBeGreaterThanOrEqual(layers.length);
    await page.getByText('Nothing is streamed just now').waitFor();
    // Other nodes are called by their names, and lead to their pages.
    const peer = page.locator('#peers').getByRole('link', { name: 'worker-2' });
    expect(await peer.getAttribute('href')).toBe(urlOf(lab().node(2)));
    await page.locator('.tile-peers').getByText('zone-b').waitFor();
    expect(await page.title()).toBe('not loaded again');
    expect(complaints).toEqual([]);
  });

  test('searches images, counts their nodes, and says who has one and what would happen', async () => {
    const [holder, asker] = [lab().node(2), lab().node(1)];
    for (const name of ['shop/cart', 'shop/web', 'other']) {
      const image = createImage({ seed: `${name}-${lab().id}`, layers: [{ sizeBytes: 10_000 }] });
      await holder.importImage(image, `${REGISTRY}/${name}:v1`);
      await untilFound(asker, image, name, 'v1');
    }
    await open(holder);
    const images = page.locator('#images');
    await images.getByPlaceholder('a part of the name').fill('shop/');
    const rows = images.locator('tbody tr');
    await waitFor('two images', async () => (await rows.count()) === 2);
    await waitFor(
      'how many nodes have it',
      async () => (await rows.first().locator('td.num').innerText()) === '1',
    );

    await open(asker);
    const why = page.locator('#why');
    await why.getByLabel('Image or digest').fill(`${REGISTRY}/shop/cart:v1`);
    await why.getByLabel('Image or digest').press('Enter');
    await why.getByText('The mirror can serve all of it.').waitFor();
    await why.getByText('worker-2 would serve it').first().waitFor();
    await why.getByLabel('Image or digest').fill('a b');
    await why.getByRole('button', { name: 'Ask' }).click();
    await why.getByRole('alert').waitFor();
    expect(complaints).toEqual([]);
  });

  test('names a node that is gone and what to do, and says when its own connection is lost', async () => {
    await open(lab().node(1));
    await lab().node(3).mirror.stop();
    await page.getByText('worker-3 is gone: nothing is pulled from there.').first().waitFor();
    await page.getByText('systemctl status spegel').waitFor();
    const dead = page.locator('#peers tbody tr', { hasText: 'worker-3' });
    await dead.getByText('dead').waitFor();
    // Worst first.
    expect(await page.locator('#peers tbody tr').first().innerText()).toContain('worker-3');
    await lab().node(3).mirror.launch();
    await lab().node(3).mirror.ready();
    await page.getByText('worker-3 is gone').first().waitFor({ state: 'detached' });

    expect(complaints).toEqual([]);
    await lab().node(1).mirror.stop();
    await page.getByText('Connection lost, trying again.').waitFor();
    await page.locator('#verdict').getByText('This node does not answer this page any more').waitFor();
    await lab().node(1).mirror.launch();
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByText('This node does not answer').first().waitFor({ state: 'detached' });
    await page.getByText('No pull has asked this mirror').waitFor();
  });

  test('says what is wrong with its own node, and what to do', async () => {
    await open(lab().node(2));
    await discardLayers(lab().node(2));
    const problem = page.locator('details.problem.is-ill').filter({ hasText: 'config.toml' });
    await problem.waitFor();
    await problem.getByText('systemctl restart containerd').waitFor();
    await page.locator('#verdict').getByText('Needs fixing').waitFor();
    expect(complaints).toEqual([]);
  });

  test('copies the whole digest, and filters peers, with the keyboard', async () => {
    await open(lab().node(2));
    const text = page.locator('#peers').getByPlaceholder('name, address or zone');
    await text.fill('worker-1');
    await waitFor('one peer', async () => (await page.locator('#peers tbody tr').count()) === 1);
    await text.fill('nowhere');
    await page.getByText('None of the 2 peers fits.').waitFor();
    const copy = page.locator('#images .digest button').first();
    await copy.focus();
    await page.keyboard.press('Enter');
    await page.getByText('Copied').waitFor();
    await text.fill('');
    await text.focus();
    await page.keyboard.press('Control+V');
    expect(await text.inputValue()).toBe((await copy.getAttribute('data-copy')) ?? 'no digest');
    expect(complaints).toEqual([]);
  });

  test('can be read without a script', async () => {
    const context = await browser.newContext({
      javaScriptEnabled: false,
      viewport: { width: 390, height: 844 },
    });
    const plain = await context.newPage();
    await plain.goto(urlOf(lab().node(2)));
    await plain.locator('#pulls').getByText('rollout:v1').waitFor();
    await plain.locator('#peers').getByText('worker-1').waitFor();
    await plain.locator('details.pull summary').first().click();
    await plain.locator('details.pull tbody tr').first().waitFor();
    await context.close();
  });

  test.each([
    [390, 'light'],
    [390, 'dark'],
    [1440, 'light'],
    [1440, 'dark'],
  ] as const)('has no barriers and fits at %d px, %s', async (width, colorScheme) => {
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    // The node that needs fixing, which has most to show.
    await open(lab().node(2));
    await page.getByText('What to do').first().waitFor();
    await page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))");
    await page.locator('details.pull tbody tr').first().waitFor();
    await page.locator('#why-form input').fill(`${REGISTRY}/rollout:v1`);
    await page.locator('#why-form button').click();
    await page.locator('#why-body .verdict').waitFor();
    expect(await findMisfits(page)).toEqual([]);
    expect(await findBarriers(page)).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
