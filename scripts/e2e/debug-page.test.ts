import { expect, test } from 'bun:test';
import type { LabNode } from '../lab/lab-node.ts';
import { MIRROR_PORTS } from '../lab/mirror.ts';
import { createImage } from '../lab/test-image.ts';
import { untilFound } from '../lab/until-found.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { waitFor } from '../lab/wait-for.ts';
import { useLab } from './test-lab.ts';

const lab = useLab({ nodes: [{}, {}, { mirrorArgs: ['--debug-web-enabled=false'] }] });

/** What GET /debug/transfers answers with, as far as it is looked at. */
interface Transfers {
  readonly transfers: ReadonlyArray<{
    readonly kind: string;
    readonly digest?: string;
    readonly forwarded: boolean;
    readonly sources: ReadonlyArray<{ readonly origin: string; readonly movedBytes: number }>;
    readonly outcome: string;
  }>;
}

async function get(node: LabNode, path: string): Promise<Response> {
  return lab().http.fetch(`http://${node.endpoint.ipv4}:${MIRROR_PORTS.metrics}${path}`);
}

test('after a pull from another node it is told what was moved, and from which peer', async () => {
  const [holder, puller] = [lab().node(1), lab().node(2)];
  const image = createImage({ seed: 'page', layers: [{ sizeBytes: 1_000_000 }] });
  await holder.importImage(image, `${REGISTRY}/page:v1`);
  await untilFound(puller, image, 'page', 'v1');
  await puller.pull(`${REGISTRY}/page:v1`);
  const layer = image.blobs.find(({ kind }) => kind === 'layer');
  const peer = holder.endpoint.ipv4;

  // The puller announces its copy a moment after the pull.
  const page = await waitFor('the page to name the image', async () => {
    const text = await (await get(puller, '/debug/web/')).text();
    return text.includes(`<code title="${image.root.digest}">`) ? text : undefined;
  });
  // Among the images, and among the pulls with its layer: looking whether it is found may count as a pull of its own.
  expect(page.split('<b>page:v1</b>').length - 1).toBeGreaterThanOrEqual(2);
  expect(page).toContain(`<code title="${layer?.digest}">`);

  const given = (await (await get(holder, '/debug/transfers')).json()) as Transfers;
  expect(given.transfers.find(({ digest }) => digest === layer?.digest)).toMatchObject({
    forwarded: true,
    sources: [{ origin: 'local', movedBytes: layer?.sizeBytes }],
  });

  const { transfers } = (await (await get(puller, '/debug/transfers')).json()) as Transfers;
  expect(transfers.find(({ digest }) => digest === layer?.digest)).toMatchObject({
    kind: 'blob',
    forwarded: false,
    sources: [{ origin: peer, movedBytes: layer?.sizeBytes }],
    outcome: 'served',
  });
  const images = {
    registries: [{ registry: REGISTRY, tags: 1, imageDigests: 1, contentDigests: image.blobs.length }],
    tags: [{ registry: REGISTRY, repository: 'page', tag: 'v1', digest: image.root.digest }],
    tagCount: 1,
  };
  for (const node of [holder, puller]) {
    await waitFor(`/debug/images of ${node.name}`, async () =>
      Bun.deepEquals(await (await get(node, '/debug/images')).json(), images),
    );
  }
});

test('--debug-web-enabled=false leaves out the page, the images and the transfers', async () => {
  for (const path of ['/debug/web/', '/debug/images', '/debug/transfers']) {
    expect((await get(lab().node(3), path)).status).toBe(404);
    expect((await get(lab().node(2), path)).status).toBe(200);
  }
  expect((await get(lab().node(3), '/metrics')).status).toBe(200);
});
