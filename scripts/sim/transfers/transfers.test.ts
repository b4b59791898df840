import { describe, expect, test } from 'bun:test';

import { playTransfers } from './play-transfers.ts';
import { randomPlay } from './random-play.ts';
import { playScenario, TRANSFER_SCENARIOS } from './transfer-scenarios.ts';

const SEEDS = [1, 2];
const RANDOM_PLAYS = 10;

describe('a simulated transfer', () => {
  test.each(TRANSFER_SCENARIOS)('$name:', async (scenario) => {
    for (const seed of SEEDS) {
      const { problems } = await playScenario(scenario, { seed });
      expect(problems).toEqual([]);
    }
  });

  test('whatever goes wrong, no small blob is wrong, no pull stays broken, nothing is left open, and all ends in time', async () => {
    for (let seed = 1; seed <= RANDOM_PLAYS; seed++) {
      const { violations } = await playTransfers(randomPlay(seed));
      expect({ seed, violations }).toEqual({ seed, violations: [] });
    }
  });

  test('gives the same figures for the same seed, and others for another one', async () => {
    const first = await playTransfers(randomPlay(7));
    expect(await playTransfers(randomPlay(7))).toEqual(first);
    expect(await playTransfers({ ...randomPlay(7), seed: 8 })).not.toEqual(first);
  });
});
