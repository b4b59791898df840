import { expect, test } from 'bun:test';
import { HEDGE_BURST, HEDGE_SHARE } from './budgets.ts';
import { createHedgeBudget } from './hedge-budget.ts';

test('createHedgeBudget() lets one of twenty requests be asked twice, and one at the start', () => {
  const budget = createHedgeBudget();
  let spent = 0;
  const requests = 1000;
  for (let i = 0; i < requests; i++) {
    budget.asked();
    while (budget.has) {
      budget.spend();
      spent++;
    }
  }
  expect(spent).toBeLessThanOrEqual(1 + requests * HEDGE_SHARE);
  expect(spent).toBeGreaterThanOrEqual(requests * HEDGE_SHARE - 1);
});

test('createHedgeBudget() saves up no more than its burst', () => {
  const budget = createHedgeBudget();
  for (let i = 0; i < 10_000; i++) budget.asked();
  let spent = 0;
  for (; budget.has; spent++) budget.spend();
  expect(spent).toBe(HEDGE_BURST);
});
