import { expect, test } from 'bun:test';
import { MIRROR_PORTS } from '../lab/mirror.ts';
import { createImage } from '../lab/test-image.ts';
import { untilFound } from '../lab/until-found.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { useLab } from './test-lab.ts';

const HOLDERS = 5;
const lab = useLab({ nodes: HOLDERS + 1 });

test.each(['kill', 'hang'] as const)(
  'after a %s of 4 of 5 holders no request fails that the fifth can serve',
  async (how) => {
    const [asker, ...holders] = lab().nodes;
    if (asker === undefined) throw new Error('The lab has no nodes');
    const image = createImage({
      seed: `last-${how}`,
      layers: Array.from({ length: 40 }, () => ({ sizeBytes: 10_000 })),
    });
    for (const holder of holders) await holder.importImage(image, `${REGISTRY}/${how}:v1`);
    await untilFound(asker, image, how, 'v1');
    for (const { mirror } of holders.slice(0, -1)) {
      if (how === 'kill') await mirror.kill();
      else await mirror.hang();
    }
    const layers = image.blobs.filter(({ kind }) => kind === 'layer');
    const statuses: number[] = [];
    const ask = async (digest: string) => {
      const path = `/v2/${how}/blobs/${digest}?ns=${REGISTRY}`;
      const answer = await lab().http.fetch(`http://${asker.endpoint.ipv4}:${MIRROR_PORTS.registry}${path}`);
      await answer.arrayBuffer();
      statuses.push(answer.status);
    };
    // containerd asks for three at a time.
    for (let start = 0; start < layers.length; start += 3) {
      await Promise.all(layers.slice(start, start + 3).map(async ({ digest }) => ask(digest)));
    }
    for (const { mirror } of holders.slice(0, -1)) {
      if (how === 'kill') await mirror.launch();
      else mirror.resume();
    }
    for (const { mirror } of holders) await mirror.ready();
    const failed = statuses.filter((status) => status !== 200);
    expect({ asked: statuses.length, failed }).toEqual({ asked: 40, failed: [] });
  },
);
