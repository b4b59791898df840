import { describe, expect, test } from 'bun:test';
import type { LabNode } from '../lab/lab-node.ts';
import { MIRROR_PORTS } from '../lab/mirror.ts';
import { createImage } from '../lab/test-image.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { waitFor } from '../lab/wait-for.ts';
import {
  type FoundImages,
  HOLDERS_PATH,
  type HoldersReport,
  IMAGES_PATH,
} from '../../src/web/images-report.ts';
import { FIND_PATH, type FindReport, findQuery } from '../../src/routing/peers-report.ts';
import { WHY_PATH, type WhyReport } from '../../src/routing/why-report.ts';
import {
  LIVE_PATH,
  type LiveEvents,
  type LivePeer,
  type LivePull,
  mergePeers,
  mergePulls,
} from '../../src/web/live-report.ts';
import { useLab } from './test-lab.ts';

const lab = useLab({
  nodes: [
    { mirrorArgs: ['--node-name', 'holder', '--zone', 'a'], link: { egressMbit: 80 } },
    { mirrorArgs: ['--node-name', 'puller.example', '--zone', 'b'] },
    { mirrorArgs: ['--debug-web-enabled=false'] },
  ],
});
const LAYER_BYTES = 20_000_000;

const urlOf = (node: LabNode, path: string) => `http://${node.endpoint.ipv4}:${MIRROR_PORTS.metrics}${path}`;

/** How many nodes provide the key, as a node finds out. */
async function find(node: LabNode, key: string): Promise<number> {
  const response = await lab().http.fetch(urlOf(node, `${FIND_PATH}?${findQuery({ key, timeoutMs: 1000 })}`));
  return ((await response.json()) as FindReport).providers.length;
}

/** A page that is open: what it was told so far. Dispose it to close it. */
async function open(node: LabNode) {
  const leave = new AbortController();
  const response = await lab().http.fetch(urlOf(node, LIVE_PATH), { signal: leave.signal });
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
  const page = {
    latest: {} as Partial<LiveEvents>,
    peers: new Map() as ReadonlyMap<string, LivePeer>,
    ended: [] as readonly LivePull[],
    /** What ran at some time, in each state in which it was told. */
    ran: [] as LivePull[],
    isOver: false,
    [Symbol.dispose]: () => leave.abort(),
  };
  const take = (name: string, data: string) => {
    const value = JSON.parse(data) as LiveEvents[keyof LiveEvents];
    Object.assign(page.latest, { [name]: value });
    if (name === 'peers') page.peers = mergePeers(page.peers, value as LiveEvents['peers']);
    if (name !== 'pulls') return;
    page.ended = mergePulls(page.ended, value as LiveEvents['pulls']);
    page.ran.push(...(value as LiveEvents['pulls']).running);
  };
  void (async () => {
    let text = '';
    const decoder = new TextDecoder();
    try {
      for await (const chunk of response.body ?? []) {
        text += decoder.decode(chunk, { stream: true });
        const events = text.split('\n\n');
        text = events.pop() ?? '';
        for (const event of events) {
          const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(event) ?? [];
          if (name !== undefined && data !== undefined) take(name, data);
        }
      }
    } catch {
      // It was closed here.
    }
    page.isOver = true;
  })();
  await waitFor('the first events', () => Object.keys(page.latest).length === 5);
  return page;
}

describe('the stream of the debug page', () => {
  test('shows a pull while it runs, from whom it comes, and what became of it', async () => {
    const [holder, puller] = [lab().node(1), lab().node(2)];
    const image = createImage({ seed: 'live', layers: [{ sizeBytes: LAYER_BYTES }, { sizeBytes: 1000 }] });
    await holder.importImage(image, `${REGISTRY}/live:v1`);
    // Not by asking the mirror, which would look into the manifest then, and not again for the pull.
    const keys = [`${REGISTRY}/live:v1`, ...image.blobs.map(({ digest }) => digest)];
    for (const key of keys) await waitFor(`a provider of ${key}`, async () => (await find(puller, key)) > 0);
    using page = await open(puller);
    expect(page.latest.health).toMatchObject({
      self: { name: 'puller.example', zone: 'b' },
      isReady: true,
      isStoreConnected: true,
      damagedBlobs: 0,
    });
    expect(page.latest.pulls).toEqual({ running: [], ended: [] });
    await puller.pull(`${REGISTRY}/live:v1`);
    const layer = image.blobs.find(({ sizeBytes }) => sizeBytes >= LAYER_BYTES);
    if (layer === undefined) throw new Error('The image has no such layer');
    const peer = holder.endpoint.ipv4;

    await waitFor('the pull to end', () => page.ended.length === 1);
    const moved = page.ran.flatMap(
      ({ blobs }) => blobs.find(({ reference }) => reference === layer.digest) ?? [],
    );
    const partly = moved.find(
      ({ movedBytes, state }) => state === 'running' && movedBytes > 0 && movedBytes < LAYER_BYTES,
    );
    expect(partly).toMatchObject({ kind: 'layer', sizeBytes: layer.sizeBytes, from: [peer] });
    expect(page.ended[0]).toMatchObject({
      image: `${REGISTRY}/live:v1`,
      digest: image.root.digest,
      outcome: 'served',
      upstreamBytes: 0,
      peers: [{ address: peer }],
    });
    expect(page.ended[0]?.id).toBe(page.ran[0]?.id ?? 0);
    expect(page.ended[0]?.blobs.find(({ reference }) => reference === layer.digest)).toMatchObject({
      state: 'given',
      movedBytes: layer.sizeBytes,
      from: [peer],
    });
    await waitFor('the traffic', () => (page.latest.traffic?.hours.at(-1)?.peerBytes ?? 0) > LAYER_BYTES);
    expect(page.latest.traffic).toMatchObject({
      hours: [{ misses: 0, upstreamBytes: 0, givenBytes: 0 }],
      zones: [
        { zone: 'b', isOwn: true },
        { zone: 'a', isOwn: false, members: 1 },
      ],
    });
    const taken = await waitFor('what was taken', () =>
      [...page.peers.values()].find(({ takenBytes }) => takenBytes > LAYER_BYTES),
    );
    expect(taken).toMatchObject({
      name: 'holder',
      zone: 'a',
      state: 'connected',
      isMember: true,
      order: 'first',
    });
    expect(page.peers.size).toBe(2);

    using given = await open(holder);
    expect(given.latest.traffic?.hours.at(-1)?.givenBytes).toBeGreaterThan(LAYER_BYTES);
    expect(
      [...given.peers.values()].find(({ name }) => name === 'puller.example')?.givenBytes,
    ).toBeGreaterThan(LAYER_BYTES);
  });

  test('counts what the registry gave, with its size', async () => {
    const puller = lab().node(2);
    using page = await open(puller);
    const before = page.latest.traffic?.hours.at(-1)?.upstreamBytes ?? 0;
    const image = createImage({ seed: 'upstream', layers: [{ sizeBytes: 3_000_000 }] });
    await lab().upstream.push(image, 'upstream', 'v1');
    await puller.pull(`${REGISTRY}/upstream:v1`);
    const pull = await waitFor('the pull to end', () =>
      page.ended.find((each) => each.image === `${REGISTRY}/upstream:v1`),
    );
    expect(pull.outcome).toBe('missing');
    expect(page.latest.traffic?.hours.at(-1)?.upstreamBytes).toBe(before + pull.upstreamBytes);
  });

  test('is not there with --debug-web-enabled=false', async () => {
    expect((await lab().http.fetch(urlOf(lab().node(3), LIVE_PATH))).status).toBe(404);
  });
});

describe('the questions of the debug page', () => {
  test('finds images, and says how many nodes have them', async () => {
    const node = lab().node(2);
    const found = await waitFor('the image to be announced', async () => {
      const response = await lab().http.fetch(urlOf(node, `${IMAGES_PATH}?search=LIVE%3Av1`));
      const images = (await response.json()) as FoundImages;
      return images.foundCount === 1 ? images : undefined;
    });
    const key = `${REGISTRY}/live:v1`;
    expect(found.tags).toMatchObject([{ key, registry: REGISTRY, repository: 'live', tag: 'v1' }]);
    const ask = async (body: string) => lab().http.fetch(urlOf(node, HOLDERS_PATH), { method: 'POST', body });
    const none = `${REGISTRY}/none:v1`;
    const report = (await (await ask(JSON.stringify({ keys: [key, none] }))).json()) as HoldersReport;
    expect(report.holders).toEqual([
      { key, peers: 1, isHere: true },
      { key: none, peers: 0, isHere: false },
    ]);
    expect((await ask('x'.repeat(40_000))).status).toBe(413);
    expect((await ask('no JSON')).status).toBe(400);
  });

  test('answers a form that asks why, and not that of a page of another origin', async () => {
    const node = lab().node(2);
    const ask = async (headers: Record<string, string>) =>
      lab().http.fetch(urlOf(node, WHY_PATH), {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        body: new URLSearchParams({ key: `${REGISTRY}/live:v1` }).toString(),
      });
    const report = (await (await ask({})).json()) as WhyReport;
    expect(report.contents[0]).toMatchObject({ kind: 'tag', isHere: true, outcome: { how: 'local' } });
    expect((await ask({ origin: 'http://elsewhere.test' })).status).toBe(403);
  });
});

test('the stream ends at once when the node stops', async () => {
  const node = lab().node(1);
  using page = await open(node);
  const stopping = node.mirror.stop();
  await waitFor('the stream to end', () => page.isOver);
  expect(await stopping).toBe(0);
});
