import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { FIND_PATH, type FindReport, findQuery } from '../../../src/routing/peers-report.ts';
import { MIRROR_PORTS } from '../../lab/mirror.ts';
import { ipv4Of } from '../../lab/network.ts';
import { createImage, type TestImage } from '../../lab/test-image.ts';
import { waitFor } from '../../lab/wait-for.ts';
import { REGISTRY } from '../../lab/upstream.ts';
import type { HostileCluster } from './hostile-cluster.ts';
import type { Load } from './load.ts';
import type { DripRate } from './player-commands.ts';

const MB = 1e6;
const LAYER_BYTES = 8 * MB;
/** A pull that takes longer counts as one that hangs, in ms. */
const HANG_MS = 30_000;

/** Addresses of the slow holder start here: no other machine of the lab has these. */
const FIRST_SLOW_HOST = 100;

const RATES: Readonly<Record<string, DripRate>> = {
  '1 byte in 0.9 s': { chunkBytes: 1, everyMs: 900 },
  '256 kbit/s': { chunkBytes: 8_000, everyMs: 250 },
};

/** Pulls from a peer that sends a layer as slowly as it likes, beside pulls from a healthy one and from upstream. */
export const DRIP_LOAD: Load = {
  name: 'drip',
  summary: 'the only holder of a layer, or one of two, sends it slowly: how long a pull of 8 MB takes',
  start: async (cluster) => {
    const notes: Record<string, string> = {};
    const faults: string[] = [];
    const stopping = new AbortController();
    const measure = async (name: string, holders: Holders): Promise<boolean> => {
      const { tookMs, wasAsked } = await pullOne(cluster, holders);
      if (tookMs === undefined) faults.push(`a pull hangs: ${name}`);
      notes[name] =
        tookMs === undefined ? `not within ${HANG_MS / 1000} s` : `${(tookMs / 1000).toFixed(1)} s`;
      if (!wasAsked && holders.rate !== undefined) notes[name] += ', the slow one was not asked';
      return wasAsked || stopping.signal.aborted;
    };
    const done = (async () => {
      await measure('from a healthy holder', { healthy: 'first' });
      await measure('from upstream', {});
      for (const [rateName, rate] of Object.entries(RATES)) {
        await measure(`the only holder at ${rateName}`, { rate });
        const name = `one of two at ${rateName}`;
        // Which of two is asked is the node's choice.
        const isAsked = await measure(name, { rate, healthy: 'last' });
        if (!isAsked) await measure(name, { rate, healthy: 'first' });
      }
    })();
    return {
      done,
      stop: async () => {
        stopping.abort();
        await done;
        return { notes, faults };
      },
    };
  },
};

/** Who has an image, beside upstream. */
interface Holders {
  /** Of the slow holder; undefined: there is none. */
  readonly rate?: DripRate;
  /** Whether a healthy node has it, and tells of it before or after the slow holder; undefined: it does not. */
  readonly healthy?: 'first' | 'last';
}

let images = 0;

/** Pulls an image on the victim that no node had before. */
async function pullOne(
  cluster: HostileCluster,
  { rate, healthy }: Holders,
): Promise<{ readonly tookMs: number | undefined; readonly wasAsked: boolean }> {
  const { lab, victim, holder, slow } = cluster;
  const repository = `drip-${++images}`;
  // A node remembers who was slow: each time another address is, with another identity.
  const address = ipv4Of(FIRST_SLOW_HOST + images);
  const image = createImage({ seed: `${lab.id} ${repository}`, layers: [{ sizeBytes: LAYER_BYTES }] });
  await lab.upstream.push(image, repository, 'v1');
  const shareWithHolder = async () => {
    await cluster.share(holder, repository, image);
    await untilProvided(cluster, image, holder.endpoint.ipv4);
  };
  if (healthy === 'first') await shareWithHolder();
  const player = rate === undefined ? undefined : await cluster.playSlowHolder(slow);
  try {
    if (rate !== undefined) {
      await slow.namespace.ip([`addr add ${address}/16 dev eth0`]);
      await player?.control.start({
        host: victim.endpoint.ipv4,
        port: MIRROR_PORTS.router,
        address,
        registryPort: MIRROR_PORTS.registry,
        rate,
        blobs: await writeBlobs(image, join(lab.directory, repository)),
      });
      await untilProvided(cluster, image, address);
    }
    if (healthy === 'last') await shareWithHolder();
    // By its digest: the slow holder provides no tag.
    const reference = `${REGISTRY}/${repository}@${image.root.digest}`;
    const tookMs = await victim.pull(reference, { timeoutMs: HANG_MS }).catch(() => undefined);
    if (tookMs !== undefined) await victim.verify(image);
    return { tookMs, wasAsked: ((await player?.control.requests({})) ?? 0) > 0 };
  } finally {
    await player?.end();
  }
}

/** Waits until the victim knows that the address has all of the image. */
async function untilProvided({ lab, victim }: HostileCluster, image: TestImage, ip: string): Promise<void> {
  for (const { digest } of image.blobs) {
    const url = `http://${victim.endpoint.ipv4}:${MIRROR_PORTS.metrics}${FIND_PATH}?${findQuery({ key: digest, timeoutMs: 500 })}`;
    await waitFor(`${ip} to be known for ${digest}`, async () => {
      const { providers } = (await (await lab.http.fetch(url)).json()) as FindReport;
      return providers.some(({ addresses }) => addresses.includes(ip));
    });
  }
}

async function writeBlobs(image: TestImage, folder: string) {
  await mkdir(folder);
  return Promise.all(
    image.blobs.map(async ({ digest, mediaType, kind, content }) => {
      const file = join(folder, digest.replace('sha256:', ''));
      await Bun.write(file, content());
      return { digest, mediaType, file, isSlow: kind === 'layer' };
    }),
  );
}
