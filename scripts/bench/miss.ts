import { createImage } from '../lab/test-image.ts';
import { countMirrorRequests } from '../lab/mirror-counts.ts';
import type { LabNode } from '../lab/lab-node.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { type Contender, inTurn } from './contender.ts';

/** What a contender did in the miss scenario. One entry per round. */
export interface MissResult {
  readonly name: string;
  readonly pullMs: number[];
  /** Time that the pull waited for the mirror's answers, added up, in ms: requests that run at once count each. */
  readonly mirrorMs: number[];
  /** Requests that the mirror could not serve. */
  readonly misses: number[];
}

/** Options of runMiss. */
export interface MissOptions {
  readonly rounds: number;
  /** Told what happens. */
  readonly say: (text: string) => void;
}

/** Small, so that the mirror's share is not lost in the transfer. */
const LAYER_BYTES = 2_000_000;
const LAYERS = 4;

/** Nobody has the image and upstream serves: what does asking the mirror first cost? A new image each round. */
export async function runMiss(
  contenders: readonly Contender[],
  { rounds, say }: MissOptions,
): Promise<MissResult[]> {
  const results = new Map<Contender, MissResult>(
    contenders.map((contender) => [
      contender,
      { name: contender.name, pullMs: [], mirrorMs: [], misses: [] },
    ]),
  );
  for (let round = 0; round < rounds; round += 1) {
    const repository = `miss-${round}`;
    const layers = Array.from({ length: LAYERS }, () => ({ sizeBytes: LAYER_BYTES }));
    const image = createImage({ seed: repository, layers });
    for (const [contender, result] of inTurn([...results], round)) {
      const { lab, puller } = contender;
      await lab.upstream.push(image, repository, 'v1');
      const ended = puller.hasMirror ? await watchMirror(puller) : undefined;
      const pullMs = await puller.pull(`${REGISTRY}/${repository}:v1`);
      result.pullMs.push(pullMs);
      const seen = await ended?.();
      if (seen !== undefined) {
        result.mirrorMs.push(seen.mirrorMs);
        result.misses.push(seen.misses);
      }
      await puller.verify(image);
      await puller.removeImage(image);
      say(`miss, round ${round + 1}, ${contender.name}: ${pullMs.toFixed(0)} ms`);
    }
  }
  return [...results.values()];
}

async function watchMirror({ mirror }: LabNode) {
  const spentMs = async () => (await mirror.metrics()).sum('http_request_duration_seconds_sum') * 1000;
  const counted = await countMirrorRequests(mirror);
  const beforeMs = await spentMs();
  return async () => ({ mirrorMs: (await spentMs()) - beforeMs, misses: (await counted()).misses });
}
