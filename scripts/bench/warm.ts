import { createImage, type TestImage } from '../lab/test-image.ts';
import { untilFound } from '../lab/until-found.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { type Contender, inTurn } from './contender.ts';
import { measureIdle, type Memory, watchMemory } from './memory.ts';

/** What a contender did in the warm scenario. One entry per round. */
export interface WarmResult {
  readonly name: string;
  readonly pullMs: number[];
  /** Of both mirrors together. Empty without mirrors, like the memory. */
  readonly cpuSecondsPerGb: number[];
  /** What upstream sent; without a mirror that is the image. */
  readonly upstreamBytes: number[];
  /** Of the larger of both mirrors. */
  readonly idle: Memory | undefined;
  readonly peak: Memory | undefined;
}

/** Options of runWarm. */
export interface WarmOptions {
  readonly rounds: number;
  readonly sizeBytes: number;
  /** Told what happens. */
  readonly say: (text: string) => void;
}

const LAYERS = 4;
const GB = 1e9;
const REPOSITORY = 'warm';

/** One node has the image, the other one pulls it, round after round; each time every blob is checked and removed again. */
export async function runWarm(
  contenders: readonly Contender[],
  { rounds, sizeBytes, say }: WarmOptions,
): Promise<WarmResult[]> {
  const image = createImage({
    seed: REPOSITORY,
    layers: Array.from({ length: LAYERS }, () => ({ sizeBytes: Math.floor(sizeBytes / LAYERS) })),
  });
  const results = new Map<Contender, WarmResult & { peakAnonymousBytes: number }>();
  for (const contender of contenders) {
    const { name, lab, holder, puller, mirrored } = contender;
    const idle = mirrored.length === 0 ? undefined : await measureIdle(mirrored);
    await lab.upstream.push(image, REPOSITORY, 'v1');
    if (holder.hasMirror) {
      await holder.pull(`${REGISTRY}/${REPOSITORY}:v1`);
      // Then it pulls from upstream, and the table shows the bytes.
      await untilFound(puller, image, REPOSITORY, 'v1').catch(() =>
        say(`warm, ${name}: the puller does not find what the holder has`),
      );
    }
    const empty = { pullMs: [], cpuSecondsPerGb: [], upstreamBytes: [], peakAnonymousBytes: 0 };
    results.set(contender, { name, idle, peak: undefined, ...empty });
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const [contender, result] of inTurn([...results], round)) {
      const { pullMs, cpuSeconds, upstreamBytes, anonymousBytes } = await pullOnce(contender, image);
      result.pullMs.push(pullMs);
      result.upstreamBytes.push(upstreamBytes);
      if (contender.mirrored.length > 0) result.cpuSecondsPerGb.push(cpuSeconds / (sizeBytes / GB));
      result.peakAnonymousBytes = Math.max(result.peakAnonymousBytes, anonymousBytes);
      say(`warm, round ${round + 1}, ${contender.name}: ${(pullMs / 1000).toFixed(2)} s`);
    }
  }
  return Promise.all(
    Array.from(results, async ([contender, { peakAnonymousBytes, ...result }]) => {
      if (contender.mirrored.length === 0) return result;
      const usages = await Promise.all(contender.mirrored.map(async ({ mirror }) => mirror.usage()));
      const rssBytes = Math.max(...usages.map(({ peakRssBytes }) => peakRssBytes));
      return Object.assign(result, { peak: { rssBytes, anonymousBytes: peakAnonymousBytes } });
    }),
  );
}

async function pullOnce({ lab, puller, mirrored }: Contender, image: TestImage) {
  const cpuSeconds = async () => {
    const usages = await Promise.all(mirrored.map(async ({ mirror }) => mirror.usage()));
    return usages.reduce((sum, usage) => sum + usage.cpuSeconds, 0);
  };
  const upstream = await lab.upstream.count();
  const cpuBefore = await cpuSeconds();
  const { result: pullMs, anonymousBytes } = await watchMemory(mirrored, async () =>
    puller.pull(`${REGISTRY}/${REPOSITORY}:v1`),
  );
  const used = (await cpuSeconds()) - cpuBefore;
  const upstreamBytes = await upstream.bytesOut();
  await puller.verify(image);
  await puller.removeImage(image);
  return { pullMs, cpuSeconds: used, upstreamBytes, anonymousBytes };
}
