import { describe, expect, test } from 'bun:test';

import { FLIGHT_SCENARIOS, playScenario } from './flight-scenarios.ts';
import { playFlight } from './play-flight.ts';
import { randomPlay, randomProblems } from './random-play.ts';

/** Seeds that are played, of a large cluster only the first. */
const SEEDS = [1, 2];
const LARGE = 100;
const RANDOM_PLAYS = 30;

describe('a simulated flight', () => {
  for (const slotRule of ['per-layer', 'per-request'] as const) {
    test.each(FLIGHT_SCENARIOS)(`$name, slots ${slotRule}`, async (scenario) => {
      for (const seed of scenario.play.nodes < LARGE ? SEEDS : SEEDS.slice(0, 1)) {
        const { problems } = await playScenario(scenario, { seed, slotRule });
        expect(problems).toEqual([]);
      }
    });
  }

  test('whatever goes wrong, no pull fails or hangs, and no node gets a byte that its parent does not have', async () => {
    for (let seed = 1; seed <= RANDOM_PLAYS; seed++) {
      expect({ seed, problems: randomProblems(await playFlight(randomPlay(seed))) }).toEqual({
        seed,
        problems: [],
      });
    }
  });

  test('gives the same figures for the same seed, and others for another one', async () => {
    const [scenario] = FLIGHT_SCENARIOS;
    if (scenario === undefined) throw new Error('No scenario');
    const figuresOf = async (seed: number) =>
      (await playScenario(scenario, { seed, slotRule: 'per-request' })).result;
    const first = await figuresOf(7);
    expect(await figuresOf(7)).toEqual(first);
    expect(await figuresOf(8)).not.toEqual(first);
  });
});
