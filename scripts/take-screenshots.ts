import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import type { FlightsReport } from '../src/routing/flights-report.ts';
import { BINARY } from './lab/binary.ts';
import { startBrowser } from './lab/browser.ts';
import { createCleanup } from './lab/cleanup.ts';
import { discardLayers } from './lab/discard-layers.ts';
import { createLab, type Lab } from './lab/lab.ts';
import { HTTP_REGISTRIES, type LabNode } from './lab/lab-node.ts';
import { MIRROR_PORTS } from './lab/mirror.ts';
import { readScriptOptions, requireRoot } from './lab/script-options.ts';
import { createImage } from './lab/test-image.ts';
import { shrinkPng } from './lab/shrink-png.ts';
import { REGISTRY } from './lab/upstream.ts';
import { waitFor } from './lab/wait-for.ts';

const SCRIPT = 'screenshots';
const FOLDER = 'docs/screenshots';
const USAGE = `Usage: scripts/screenshots

Takes the pictures of the live page that docs/ shows, and writes them into ${FOLDER}/. A lab of five nodes starts, pulls
some images, and then one image on all nodes at once, over a slow link: the pictures are of that roll-out, and then of a node
whose containerd discards its layers. Takes about two minutes.

Needs root, what scripts/setup installs, and dist/spegel, which scripts/build makes.`;

const MB = 1e6;
const NODES = 5;
const UPSTREAM_MBIT = 60;
const WIDE = { width: 1440, height: 1140 };
const NARROW = { width: 390, height: 1100 };
/** Of roll-outs, until one is as it should be. */
const MAX_ROLL_OUTS = 5;
/** It runs after the start, and again when containerd was busy. */
const CANARY_TIMEOUT_MS = 120_000;
/** A picture that is larger has no place in a repository. */
const MAX_BYTES = 150_000;

readScriptOptions({ script: SCRIPT, usage: USAGE });
requireRoot(SCRIPT, 'it makes network namespaces');
if (!existsSync(BINARY)) {
  console.error(`${SCRIPT}: there is no ${BINARY}: run scripts/build first`);
  process.exit(1);
}
const folder = join(import.meta.dir, '..', FOLDER);
mkdirSync(folder, { recursive: true });
const cleanup = createCleanup();
try {
  await using lab = await createLab({
    binary: BINARY,
    upstreamMbit: UPSTREAM_MBIT,
    nodes: Array.from({ length: NODES }, (_, n) => ({
      mirrorEnv: {
        CANARY_ENABLED: 'true',
        MIRRORED_REGISTRIES: HTTP_REGISTRIES.join(','),
        NODE_NAME: `worker-${n + 1}`,
        ZONE: n < 3 ? 'zone-a' : 'zone-b',
      },
    })),
  });
  const browser = await startBrowser({ cleanup }, { enter: lab.hub.enter });
  await pullSome(lab);
  await takeRollOut(lab, browser);
  await takeIllNode(lab, browser);
  await browser.close();
} finally {
  cleanup.run();
}

/** Gives the nodes something to show. */
async function pullSome(lab: Lab): Promise<void> {
  for (const [n, name] of ['shop/cart', 'platform/proxy'].entries()) {
    const image = createImage({ seed: name, layers: [{ sizeBytes: (n + 1) * MB }, { sizeBytes: 3 * MB }] });
    await lab.upstream.push(image, name, `v1.${n}`);
    const reference = `${REGISTRY}/${name}:v1.${n}`;
    await lab.node(1 + (n % NODES)).pull(reference);
    await Promise.all(lab.nodes.map(async (node) => node.pull(reference)));
  }
}

/** Pulls an image on all nodes, again with other ones until the node that knows the whole tree is not the one at its top. */
async function takeRollOut(lab: Lab, browser: Browser): Promise<void> {
  await Promise.all(
    lab.nodes.map(async ({ mirror }) =>
      waitFor('the canary', async () => (await mirror.metrics()).sum('spegel_mirror_in_use') === 1, {
        timeoutMs: CANARY_TIMEOUT_MS,
      }),
    ),
  );
  for (let version = 42; version < 42 + MAX_ROLL_OUTS; version++) {
    const layers = [90, 8, 4, 2].map((size) => ({ sizeBytes: size * MB }));
    const image = createImage({ seed: `web${version}`, layers });
    const largest = image.blobs.toSorted((a, b) => b.sizeBytes - a.sizeBytes)[0];
    await lab.upstream.push(image, 'shop/web', `v${version}`);
    const pulls = Promise.all(lab.nodes.map(async (node) => node.pull(`${REGISTRY}/shop/web:v${version}`)));
    // Once all nodes are in the tree of the largest layer, and have bytes.
    const { tower, root } = await waitFor('the tree of the roll-out', async () => {
      const reports = await Promise.all(lab.nodes.map(async (node) => flightsOf(lab, node)));
      for (const [at, { self, flights }] of reports.entries()) {
        const nodes = flights.find(({ digest }) => digest === largest?.digest)?.nodes ?? [];
        // The second tower is told who takes part, and not from whom.
        const isKnown = nodes.every(
          ({ hasBegun, role, parent }) => hasBegun && (role !== 'child' || parent !== undefined),
        );
        if (nodes.length < NODES || !isKnown) continue;
        return { tower: { node: lab.nodes[at], id: self }, root: nodes.find(({ role }) => role === 'root') };
      }
      return undefined;
    });
    const isLast = version === 41 + MAX_ROLL_OUTS;
    if (tower.node !== undefined && (tower.id !== root?.id || isLast)) {
      await takePages(browser, tower.node);
      await pulls;
      return;
    }
    await pulls;
  }
}

async function takePages(browser: Browser, tower: LabNode): Promise<void> {
  const pages = await Promise.all([
    openPage(browser, tower, { viewport: WIDE, colorScheme: 'light' }),
    openPage(browser, tower, { viewport: WIDE, colorScheme: 'dark' }),
    openPage(browser, tower, { viewport: NARROW, colorScheme: 'light' }),
    openPage(browser, tower, { viewport: NARROW, colorScheme: 'dark' }),
  ]);
  const [light, dark, phone, darkPhone] = pages;
  for (const page of pages) await page.locator('#streams article.tree').first().waitFor();
  await save(light, 'page-light.png');
  await save(dark, 'page-dark.png');
  await save(phone, 'phone-light.png');
  await darkPhone.evaluate("document.querySelector('#streams').scrollIntoView()");
  await save(darkPhone, 'phone-dark.png');
  for (const page of pages) await page.context().close();
}

async function takeIllNode(lab: Lab, browser: Browser): Promise<void> {
  const node = lab.node(2);
  await discardLayers(node);
  await lab.node(5).mirror.stop();
  const page = await openPage(browser, node, { viewport: WIDE, colorScheme: 'light' });
  await page.getByText('worker-5 is gone').first().waitFor();
  await page.locator('.problem', { hasText: 'config.toml' }).first().waitFor();
  await save(page, 'ill-node.png', '#health');
}

interface View {
  readonly viewport: { readonly width: number; readonly height: number };
  readonly colorScheme: 'light' | 'dark';
}

async function openPage(browser: Browser, node: LabNode, view: View): Promise<Page> {
  const context = await browser.newContext({ ...view, reducedMotion: 'reduce' });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  await page.goto(urlOf(node, 'web/'));
  await page.getByText('Live', { exact: true }).waitFor();
  return page;
}

async function flightsOf(lab: Lab, node: LabNode): Promise<FlightsReport> {
  return (await (await lab.http.fetch(urlOf(node, 'flights'))).json()) as FlightsReport;
}

function urlOf({ endpoint }: LabNode, path: string): string {
  return `http://${endpoint.ipv4}:${MIRROR_PORTS.metrics}/debug/${path}`;
}

async function save(page: Page, name: string, selector?: string): Promise<void> {
  const png = shrinkPng(
    await (selector === undefined ? page.screenshot() : page.locator(selector).screenshot()),
  );
  console.log(`${FOLDER}/${name}: ${Math.round(png.length / 1000)} kB`);
  if (png.length > MAX_BYTES) throw new Error(`${name} is larger than ${MAX_BYTES / 1000} kB`);
  writeFileSync(join(folder, name), png);
}
