import { describe, expect, test } from 'bun:test';

import { SCENARIOS, SHORT } from './run-scenario.ts';

const TIMEOUT_MS = 300_000;

describe('a simulated cluster', () => {
  test.each(SCENARIOS)(
    '$name: $question',
    async ({ run }) => {
      const { goals } = await run(SHORT);
      expect(goals).not.toEqual([]);
      expect(goals.filter(({ isMet }) => !isMet)).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    'gives the same figures for the same seed, and others for another one',
    async () => {
      const churn = SCENARIOS.find(({ name }) => name === 'churn');
      const figuresOf = async (seed: number) =>
        (await churn?.run({ ...SHORT, nodes: 30, minutes: 1, seed }))?.figures;
      const first = await figuresOf(7);
      expect(await figuresOf(7)).toEqual(first);
      expect(await figuresOf(8)).not.toEqual(first);
    },
    TIMEOUT_MS,
  );
});
